"""HTML pages that need no other file: templates, filled in by Jinja2.

Every value is escaped. The templates' Content-Security-Policy forbids loading
anything, so that images and charts are in the page as `data:` links.
"""

import base64
import io

import jinja2
from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

_TEMPLATES = jinja2.Environment(
  loader=jinja2.PackageLoader('flaxheads.pages', ''),
  autoescape=True,
  undefined=jinja2.StrictUndefined,
  trim_blocks=True,
  lstrip_blocks=True,
)


def render(template: str, **values) -> str:
  """Fills in a template.

  Args:
    template: a file of this folder.
    **values: what it names; text is escaped.
  """
  return _TEMPLATES.get_template(template).render(values)


def source(name: str) -> Markup:
  """A file of this folder, such as a script, as it is."""
  text, *_ = _TEMPLATES.loader.get_source(_TEMPLATES, name)
  return Markup(text)


def data_uri(content: bytes, mime: str) -> str:
  """A link that holds the content of a file."""
  return f'data:{mime};base64,{base64.b64encode(content).decode()}'


def figure_uri(figure: Figure) -> str:
  """A matplotlib figure as a link that holds an SVG; the same every time."""
  file = io.BytesIO()
  with rc_context({'svg.hashsalt': 'flaxheads'}):
    figure.savefig(file, format='svg', metadata={'Date': None})
  return data_uri(file.getvalue(), 'image/svg+xml')
