"""Networks have the forms for CPUs here."""

import pytest

from flaxheads import platforms


@pytest.fixture(scope='module', autouse=True)
def traced_form():
  with platforms.tracing_for('cpu'):
    yield
