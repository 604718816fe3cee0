"""The suites run at the tiny size; their figures make sense."""

import dataclasses

import numpy as np
import pytest

from tests import tiny_bilayer
from tests.benchmark import animate, clock, remote, sizes, stream, suites, table
from tests.launch import footage

CEILINGS = {'flops': 1e11, 'bandwidth': 1e10}


def test_sizes_are_copies_of_their_own():
  first = sizes.find('cpu', 3)
  first.experiment.training.batch_size = 99
  second = sizes.find('cpu')
  assert second.experiment.training.batch_size == 1
  assert (first.repeats, second.repeats) == (3, 7)
  assert second.experiment.model.image_size == 256
  assert sizes.find('gpu').experiment.model.dtype == 'bfloat16'


def _taking(name, seconds):
  """A program that says how long it took."""
  return clock.Program(name, lambda: seconds, remote=True)


def test_animation_at_the_tiny_size(monkeypatch):
  size, ahead = dataclasses.replace(sizes.find('tiny'), name='cpu'), []
  monkeypatch.setattr(remote, 'compile_ahead', lambda *what: ahead.append(what))
  rows, tried = suites.SUITES['animate'](size, {}, iter)
  assert not tried  # no reference was asked for
  assert ahead == [(animate.ours, size, count) for count in (1, 2)]
  assert [row.samples for row in rows] == [1, size.drawn_at_once]
  assert all(row.ratio == 1 for row in rows)
  one, several = rows
  assert several.cost.flops > 1.5 * one.cost.flops
  dicts = table.to_json(rows, CEILINGS)
  for row, entry in zip(rows, dicts, strict=True):
    wanted = row.cost.flops / row.timing.median / CEILINGS['flops']
    assert entry['share_of_matmul'] == pytest.approx(wanted)
    wanted = row.samples / row.timing.median
    assert entry['samples_per_second'] == pytest.approx(wanted)
  report = {
    'machine': 'a machine',
    'size': 'tiny',
    'date': '2026-01-01',
    'ceilings': CEILINGS,
    'suites': {'animate': {'rows': dicts}},
  }
  text = table.to_markdown(report)
  lines = text.splitlines()
  cells = {line.count('|') for line in lines[2:]}
  assert cells == {12}  # every line has as many columns as the head
  assert sum('64², ' in line for line in lines) == 2


def test_the_table_of_identities_costs_what_its_batch_costs():
  rows, _ = suites.SUITES['identity_table'](sizes.find('tiny'), {}, iter)
  flops = [row.cost.flops for row in rows]
  assert max(flops) <= 1.01 * min(flops)
  assert rows[0].ratio == 1
  assert rows[2].ratio == pytest.approx(
    rows[2].timing.median / rows[1].timing.median
  )


def test_what_grows_has_an_exponent():
  # Four times the size in eight times the time: 1.5.
  programs = [_taking(str(seconds), seconds) for seconds in (2.0, 16.0)]
  cases = [(1, 'a', programs[0], 1), (4, 'b', programs[1], 1)]
  size = sizes.find('tiny')
  first, second = suites._growing(cases, size, iter)
  assert (first.ratio, first.exponent) == (1, None)
  assert second.exponent == pytest.approx(1.5)


def _photographed(seed, identity, count, side):
  """In place of a rendered clip, which takes a minute: a face that moves."""
  del seed, identity
  assert side == footage.SIDE
  frames = np.stack(list(footage.frames(count)))
  return frames, 3 * tiny_bilayer.make_points(count)


def test_a_whole_animation_is_a_process_of_its_own(monkeypatch):
  monkeypatch.setattr(stream, 'make_clip', _photographed)
  stage = stream.Stage([4], side=64, driver_side=footage.SIDE)
  try:
    stage.program('four frames', 4).run()
    assert (stage.root / 'out.mp4').is_file()
    assert any((stage.root / 'programs').iterdir())  # for the next one
    assert stage.peaks['four frames'] > 50e6
    (stage.root / '4.mp4').unlink()
    with pytest.raises(RuntimeError, match='no such file'):
      stage.program('no frames', 4).run()
  finally:
    stage.close()
  assert not stage.root.exists()


class _Stage:
  """A second for each frame, and five more where nothing was compiled."""

  def __init__(self, lengths):
    self.lengths, self.peaks = lengths, {}

  def program(self, name, length, kept=True):
    self.peaks[name] = 1000 * length
    return _taking(name, length + (0 if kept else 5))

  def close(self):
    pass


def test_whole_animations_against_their_length(monkeypatch):
  monkeypatch.setattr(stream, 'Stage', _Stage)
  rows, _ = suites.SUITES['stream'](sizes.find('tiny', 1), {}, iter)
  cases = [row.case for row in rows]
  assert cases[:2] == ['animate, 128², 4 frames', 'animate, 128², 8 frames']
  assert [case.partition(',')[0] for case in cases[2:]] == ['first frame'] * 2
  assert [row.peak_bytes for row in rows] == [4000, 8000, 1000, 1000]
  assert rows[1].exponent == pytest.approx(1)
  assert [row.timing.median for row in rows] == [4, 8, 6, 1]
  dicts = table.to_json(rows, CEILINGS)
  assert dicts[1]['exponent'] == rows[1].exponent
  assert dicts[1]['samples_per_second'] == 8 / rows[1].timing.median


def test_convolutions_cost_the_same_in_every_form():
  rows, _ = suites.SUITES['convolutions'](sizes.find('tiny'), {}, iter)
  both = ['flaxheads', 'as XLA has it']
  assert [row.program for row in rows] == 9 * both
  flops = 2 * 8 * 8 * 9 * 4 * 4  # 8x8 outputs of 4 channels, 9 places of 4
  for row in rows[:6]:
    assert row.cost.flops == pytest.approx(flops, rel=0.2)
  for one, other in zip(rows[::2], rows[1::2], strict=True):
    assert one.case == other.case
    assert one.cost.flops == pytest.approx(other.cost.flops, rel=0.01)
