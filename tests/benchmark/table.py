"""Figures of the benchmark as JSON and as a Markdown table."""

from collections.abc import Sequence

from tests.benchmark.suites import Row


def to_json(rows: Sequence[Row], ceilings: dict) -> list[dict]:
  """Rows as JSON can hold them, with their shares of the ceilings."""
  return [
    {
      'case': row.case,
      'program': row.program,
      'seconds': row.timing._asdict(),
      'samples_per_second': row.samples / row.timing.median,
      'ratio': row.ratio,
      'exponent': row.exponent,
      'peak_bytes': row.peak_bytes,
      **(_cost(row, ceilings) if row.cost else {}),
    }
    for row in rows
  ]


def _cost(row: Row, ceilings: dict) -> dict:
  seconds, cost = row.timing.median, row.cost
  return {
    **cost._asdict(),
    'share_of_matmul': cost.flops / seconds / ceilings['flops'],
    'share_of_copy': cost.bytes_accessed / seconds / ceilings['bandwidth'],
  }


def _seconds(value: float) -> str:
  return f'{value:.2f} s' if value >= 1 else f'{value * 1e3:.1f} ms'


def _line(row: dict) -> str:
  seconds = row['seconds']
  cells = [
    row['case'],
    row['program'],
    _seconds(seconds['median']),
    f'{_seconds(seconds["low"])} to {_seconds(seconds["high"])}',
    f'{row["ratio"]:.2f}',
    '' if row['exponent'] is None else f'{row["exponent"]:.2f}',
  ]
  if 'flops' in row:
    cells += [
      f'{row["flops"] / 1e9:,.1f}',
      f'{row["bytes_accessed"] / 1e9:,.1f}',
      f'{row["share_of_matmul"]:.0%}',
      f'{row["compile_seconds"]:.0f} s',
    ]
  else:
    cells += ['', '', '', '']
  peak = row['peak_bytes']
  cells.append('' if peak is None else f'{peak / 2**30:.1f}')
  return f'| {" | ".join(cells)} |'


def to_markdown(report: dict) -> str:
  """The table of a report.

  Args:
    report: what launch.benchmark writes as JSON.

  Returns:
    Text that ends with a newline.
  """
  ceilings = report['ceilings']
  lines = [
    f'{report["machine"]}, {report["date"]}, size `{report["size"]}`; a matrix '
    f'product reaches {ceilings["flops"] / 1e9:,.0f} GFLOP/s, a copy '
    f'{ceilings["bandwidth"] / 1e9:,.1f} GB/s.',
    '',
    '| | | median | quartiles | times ours | exponent | GFLOP | GB by XLA | of '
    'the matrix product | compiling | GiB at most |',
    '|---' * 11 + '|',
  ]
  for suite in report['suites'].values():
    lines += [_line(row) for row in suite['rows']]
  return '\n'.join(lines) + '\n'
