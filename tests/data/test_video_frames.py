"""Making items ahead of their use: in order, not too many, errors kept."""

import threading

import pytest

from flaxheads.data.video_frames import ahead


def test_items_come_in_order_from_another_thread():
  threads = set()

  def items():
    for i in range(20):
      threads.add(threading.get_ident())
      yield i

  assert list(ahead(items(), 3)) == list(range(20))
  assert threads and threading.get_ident() not in threads
  assert list(ahead([], 3)) == []


def test_no_more_are_made_than_asked_for():
  made = []

  def items():
    for i in range(20):
      made.append(i)
      yield i

  for used in ahead(items(), 3):
    assert len(made) <= used + 1 + 3
    if used == 9:
      break
  assert len(made) <= 13


def test_items_are_made_while_others_are_used():
  third = threading.Event()

  def items():
    yield 0
    yield 1
    third.set()
    yield 2

  coming = ahead(items(), 3)
  assert next(coming) == 0
  assert third.wait(10)  # nobody has asked for it yet
  coming.close()


def test_a_closed_one_makes_no_more():
  made = []

  def items():
    try:
      for i in range(100):
        made.append(i)
        yield i
    finally:
      made.append('closed')

  source = items()
  coming = ahead(source, 2)
  next(coming)
  coming.close()
  count = len(made)
  assert count <= 4
  source.close()
  assert made[-1] == 'closed' and len(made) == count + 1


def test_errors_are_raised_where_the_item_is_used():
  def items():
    yield 1
    raise ValueError('the second')

  coming = ahead(items(), 2)
  assert next(coming) == 1
  with pytest.raises(ValueError, match='the second'):
    next(coming)
