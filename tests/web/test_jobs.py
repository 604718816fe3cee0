"""The queue of jobs."""

import threading

import pytest

from flaxheads.errors import UserError
from flaxheads.web.jobs import Job, Queue

PATIENCE = 30


class Visitor:
  """Submits jobs and waits for what becomes of them."""

  def __init__(self, queue):
    self.queue, self.results = queue, []
    self.changes, self._ended = [], threading.Semaphore(0)

  def submit(self, work, label='work'):
    def then(result, wrong):
      self.results.append((result, wrong))
      self._ended.release()

    def changed():
      self.changes.append((job.ahead, job.label, job.done, job.total))

    job = Job(label, work, then, changed)
    self.queue.submit(job)
    return job

  def wait(self, count=1):
    for _ in range(count):
      assert self._ended.acquire(timeout=PATIENCE)


def _blocked(queue):
  """A running job, and what lets it go on."""
  running, go_on = threading.Event(), threading.Event()
  visitor = Visitor(queue)

  def work(job):
    running.set()
    assert go_on.wait(PATIENCE)
    job.tell('later')

  job = visitor.submit(work)
  assert running.wait(PATIENCE)
  return visitor, job, go_on


def test_work_reports_and_gives_its_result():
  visitor = Visitor(Queue(2, 1.0))
  visitor.submit(lambda job: list(job.count('abc', 'letters', 3)))
  visitor.wait()
  assert visitor.results == [(['a', 'b', 'c'], '')]
  counts = [(0, 'letters', n, 3) for n in range(3)]
  assert visitor.changes == [(0, 'work', 0, 0), *counts]


def test_errors_become_sentences():
  visitor = Visitor(Queue(2, 1.0))

  def wrong(job):
    raise UserError('a bad file')

  def defect(job):
    raise KeyError('x')

  visitor.submit(wrong)
  visitor.submit(defect)
  visitor.wait(2)
  assert visitor.results[0] == (None, 'a bad file')
  assert visitor.results[1][1].startswith('this failed because of an error')


def test_who_waits_knows_how_many_come_first():
  queue = Queue(2, 1.0)
  first, _, go_on = _blocked(queue)
  second, third = Visitor(queue), Visitor(queue)
  assert second.submit(lambda job: 2).ahead == 1
  assert third.submit(lambda job: 3).ahead == 2
  with pytest.raises(UserError, match='2 jobs are waiting'):
    Visitor(queue).submit(lambda job: 4)
  go_on.set()
  for visitor in (first, second, third):
    visitor.wait()
  assert [ahead for ahead, *_ in third.changes] == [1, 0, 0]


def test_cancelled_jobs_say_nothing():
  queue = Queue(4, 1.0)
  running, job, go_on = _blocked(queue)
  waiting = Visitor(queue)
  waiting.submit(lambda job: 'never').cancel()
  last = Visitor(queue)
  assert last.submit(lambda job: 'done').ahead == 1  # the cancelled is not one
  job.cancel()
  go_on.set()
  last.wait()
  assert not running.results and not waiting.results


def test_time_is_limited():
  visitor = Visitor(Queue(1, 0.0))
  visitor.submit(lambda job: 1)
  visitor.wait()
  assert 'longer than the 0 minutes' in visitor.results[0][1]
