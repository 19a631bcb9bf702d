import pytest

from lofi_daemon.errors import LofiError
from lofi_daemon.jobs.job import Job
from lofi_daemon.jobs.queue import WaitingLine
from lofi_daemon.model import StageParams


def job(ident, priority="normal"):
    params = StageParams(backend="synth", prompt=ident, duration_sec=30, seed=1)
    return Job(ident, (params,), ((ident,),), ("v",), priority, auto_play=False)


def test_high_precedes_normal_precedes_low_and_equals_keep_their_order():
    line = WaitingLine()
    for ident, priority in [("l1", "low"), ("n1", "normal"), ("h1", "high"), ("n2", "normal"), ("h2", "high")]:
        line.push(job(ident, priority))
    assert [line.pop().id for _ in range(5)] == ["h1", "h2", "n1", "n2", "l1"]
    assert line.pop() is None


def test_the_sixth_waiting_request_is_refused_by_name():
    line = WaitingLine()
    for i in range(5):
        line.push(job(str(i), "low"))
    with pytest.raises(LofiError) as caught:
        line.push(job("5", "high"))
    assert caught.value.name == "QUEUE_FULL"
    assert len(line) == 5


def test_position_counts_in_running_order():
    line = WaitingLine()
    low, high = job("low", "low"), job("high", "high")
    line.push(low)
    line.push(high)
    assert (line.position(high), line.position(low)) == (1, 2)


def test_priority_can_be_raised_but_not_lowered():
    line = WaitingLine()
    first, second = job("first", "normal"), job("second", "low")
    line.push(first)
    line.push(second)
    line.raise_priority(first, "low")
    assert [j.id for j in line] == ["first", "second"]
    line.raise_priority(second, "high")
    assert [j.id for j in line] == ["second", "first"]


def line_of(*priorities):
    """Jobs named by their place: "1", "2", …"""
    line = WaitingLine()
    for i, priority in enumerate(priorities):
        line.push(job(str(i + 1), priority))
    return line


def order(line):
    return "".join(job.id for job in line)


@pytest.mark.parametrize(("moved", "position", "after"), [(1, 3, "231"), (3, 1, "312"), (2, 2, "123"), (1, 2, "213")])
def test_a_job_moves_to_any_place_among_its_equals(moved, position, after):
    line = line_of("normal", "normal", "normal")
    mover = list(line)[moved - 1]
    line.move(mover, position)
    assert order(line) == after
    assert line.position(mover) == position
    assert {job.priority for job in line} == {"normal"}


@pytest.mark.parametrize(
    ("moved", "position", "takes"),
    [
        (4, 1, "high"),  # low to the head of everything
        (4, 2, "normal"),  # low between high and normal: no higher than it must be
        (4, 3, "normal"),
        (1, 2, "normal"),  # high behind a normal one
        (1, 4, "low"),
        (2, 3, "normal"),
        (2, 1, "high"),
        (3, 4, "low"),
    ],
)
def test_a_job_moved_past_another_level_takes_its_priority(moved, position, takes):
    line = line_of("high", "normal", "normal", "low")
    mover = list(line)[moved - 1]
    others = [(job.id, job.priority) for job in line if job is not mover]
    line.move(mover, position)
    assert mover.priority == takes
    assert line.position(mover) == position
    assert [(job.id, job.priority) for job in line if job is not mover] == others
    popped = [line.pop() for _ in range(4)]
    assert popped.index(mover) == position - 1
