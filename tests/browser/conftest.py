"""A headless Chromium for tests of pages; where there is none, a skip."""

import pathlib
import shutil

import pytest

NAMES = (
  'chromium-headless-shell',
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
)


@pytest.fixture(scope='session')
def browser():
  """A started browser."""
  reason = 'playwright is not there; `make browser` brings it'
  api = pytest.importorskip('playwright.sync_api', reason=reason)
  with api.sync_playwright() as playwright:
    found = next(filter(None, map(shutil.which, NAMES)), None)
    own = playwright.chromium.executable_path  # of `playwright install`
    if not found and not pathlib.Path(own).exists():
      pytest.skip(f'no browser: none of {", ".join(NAMES)} is installed')
    started = playwright.chromium.launch(
      executable_path=found, args=['--no-sandbox']
    )
    yield started
    started.close()


@pytest.fixture
def page(browser):
  """An empty page with a memory of its own; errors of scripts fail the test."""
  context = browser.new_context(accept_downloads=True)
  page = context.new_page()
  errors = []
  page.on('pageerror', lambda error: errors.append(str(error)))
  page.on(
    'console',
    lambda message: (
      errors.append(message.text) if message.type == 'error' else None
    ),
  )
  yield page
  context.close()
  assert not errors
