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
