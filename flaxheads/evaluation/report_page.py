"""A report as one HTML file that needs no other."""

import itertools
import json
from collections.abc import Sequence
from pathlib import Path

from flaxheads import pages
from flaxheads.evaluation import curves
from flaxheads.evaluation.tables import Table


def _describe(table: Table) -> dict:
  """A table with its lines grouped by T, which a rule separates."""
  groups = itertools.groupby(table.body, lambda cells: cells[0].split('(')[-1])
  return {**table._asdict(), 'groups': [list(lines) for _, lines in groups]}


def make_page(
  report: dict, tables: Sequence[Table], figures: Sequence[Path]
) -> str:
  """The HTML of a report.

  Args:
    report: what report.json holds.
    tables: of `tables.make_tables`.
    figures: PNG files to show; their bytes, signature and all, go into the
      page.

  Returns:
    A page that loads nothing and runs nothing.
  """
  return pages.render(
    'report.html',
    report=report,
    tables=[_describe(table) for table in tables],
    figures=[
      {
        'name': path.name,
        'uri': pages.data_uri(path.read_bytes(), 'image/png'),
      }
      for path in figures
    ],
    charts=[
      {'caption': chart.caption, 'uri': pages.figure_uri(chart.figure)}
      for chart in curves.make_charts(report['rows'])
    ],
    chart_notes=curves.explain(report['finetuning']),
    settings=json.dumps(report['settings'], indent=2),
  )
