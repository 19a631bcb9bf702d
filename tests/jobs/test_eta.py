from itertools import pairwise

from lofi_daemon.jobs.eta import Pace


def test_percent_never_falls_and_never_says_100():
    pace, seen = Pace(), []
    for i, fraction in enumerate([0.0, 0.3, 0.2, 0.9, 1.0, 1.0]):
        pace.advance(fraction, i)
        seen.append(pace.percent)
    assert seen == sorted(seen)
    assert seen[-1] == 99


def test_no_remaining_time_before_there_is_a_rate():
    pace = Pace()
    pace.advance(0.0, 0.0)
    assert pace.eta_sec is None
    pace.advance(0.1, 0.1)  # too soon to mean anything
    assert pace.eta_sec is None


def test_a_steady_job_is_told_its_true_remaining_time():
    pace = Pace()
    for i in range(51):
        pace.advance(i / 100, i * 0.2)
    assert abs(pace.eta_sec - 10.0) < 0.2


def test_the_remaining_time_keeps_counting_down_while_the_backend_is_silent():
    pace = Pace()
    for i in range(51):
        pace.advance(i / 100, i * 0.2)
    before = pace.eta_sec
    assert pace.due(14.0)
    assert pace.eta_sec < before - 3


def test_told_at_each_five_percent_and_at_least_every_two_seconds():
    pace, told = Pace(), []
    for tick in range(200):  # 0.1 s apart, 0.1 % each
        pace.advance(tick / 1000, tick * 0.1)
        if pace.due(tick * 0.1):
            told.append(tick * 0.1)
    gaps = [b - a for a, b in pairwise(told)]
    assert max(gaps) <= 2.01

    fast, told = Pace(), []
    for percent in range(100):  # the whole job in 0.1 s
        fast.advance(percent / 100, percent / 1000)
        if fast.due(percent / 1000):
            told.append(fast.percent)
    assert told == list(range(0, 100, 5))
