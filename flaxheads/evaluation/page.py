"""A report as one HTML file that needs no other."""

import base64
import html
import json
from collections.abc import Sequence
from pathlib import Path

from flaxheads.evaluation.curves import make_charts
from flaxheads.evaluation.tables import Table

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #20222a; margin: 2rem auto;
  max-width: 82rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; display: block;
  overflow-x: auto; }
th, td { padding: .25rem .45rem; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
thead th { border-bottom: 2px solid #20222a; }
tr.block td { border-top: 1px solid #c8ccd4; }
.warning { background: #fff3d6; border-left: 4px solid #c77700;
  padding: .5rem 1rem; }
small { color: #6a6f79; font-size: .75em; }
ul, figcaption { color: #50545c; font-size: .9rem; }
img { max-width: 100%; image-rendering: auto; }
svg { max-width: 100%; height: auto; }
figure { margin: 1.5rem 0; }
details pre { background: #f4f5f7; padding: 1rem; overflow-x: auto; }
"""
# Nothing is loaded and nothing runs: what a file's name may hold is text.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def data_uri(path: Path, mime: str) -> str:
  """A file's bytes, signature and all, as a link that holds them."""
  return f'data:{mime};base64,{base64.b64encode(path.read_bytes()).decode()}'


def _table(table: Table) -> str:
  def cell(text):
    mean, bracket, interval = html.escape(text).partition(' [')
    return f'{mean} <small>[{interval}</small>' if bracket else mean

  def row(cells, tag, kind=''):
    inside = ''.join(f'<{tag}>{cell(text)}</{tag}>' for text in cells)
    return f'<tr{kind}>{inside}</tr>'

  lines, before = [], None
  for cells in table.body:
    shots = cells[0].rpartition('(')[2]
    kind = ' class="block"' if before not in (None, shots) else ''
    lines.append(row(cells, 'td', kind))
    before = shots
  notes = ''.join(f'<li>{html.escape(note)}</li>' for note in table.notes)
  return (
    f'<h2>{html.escape(table.title)}</h2>\n'
    f'<table><thead>{row(table.header, "th")}</thead>\n'
    f'<tbody>{"".join(lines)}</tbody></table>\n<ul>{notes}</ul>\n'
  )


def _figure(path: Path) -> str:
  uri = data_uri(path, 'image/png')
  name = html.escape(path.name)
  return (
    f'<figure><img alt="{name}" src="{uri}">'
    f'<figcaption>{name}: real pictures and made ones.</figcaption></figure>\n'
  )


def _dropped(dropped) -> str:
  if not dropped:
    return ''
  items = ''.join(
    f'<li>{html.escape(str(item.get("reason")))}</li>' for item in dropped
  )
  return f'<h2>Left out</h2><ul>{items}</ul>\n'


def make_page(
  report: dict, made: Sequence[Table], figures: Sequence[Path]
) -> str:
  """The HTML of a report.

  Args:
    report: what report.json holds.
    made: of `tables.make_tables`.
    figures: PNG files to show; their bytes go into the page.

  Returns:
    A page that loads nothing and runs nothing.
  """
  warnings = ''.join(
    f'<p class="warning"><b>Warning.</b> {html.escape(text)}</p>\n'
    for text in report['warnings']
  )
  notes = ''.join(f'<p>{html.escape(note)}</p>\n' for note in report['notes'])
  settings = html.escape(json.dumps(report['settings'], indent=2))
  people = 'person' if report['num_people'] == 1 else 'people'
  return (
    '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
    '<meta name="viewport" content="width=device-width">'
    f'<title>Evaluation</title><style>{_STYLE}</style></head><body>\n'
    f'<h1>Evaluation of {report["num_people"]} {people}</h1>\n'
    f'{warnings}{"".join(map(_table, made))}{notes}'
    f'{"".join(map(_figure, figures))}{make_charts(report["rows"])}'
    f'{_dropped(report["dropped"])}'
    f'<details><summary>Settings</summary><pre>{settings}</pre></details>\n'
    '</body></html>\n'
  )
