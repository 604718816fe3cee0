"""Files that several tests of data read."""

import pytest

from flaxheads.data.scanned_heads import assets
from flaxheads.errors import UserError


@pytest.fixture(scope='session')
def real_assets():
  """The published files; a skip where they are not at hand."""
  made = assets.open_assets()
  try:
    made.check()
  except UserError as error:
    pytest.skip(str(error))
  return made
