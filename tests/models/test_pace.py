from __future__ import annotations

import itertools

from lofi_daemon.models.link import Progress
from lofi_daemon.models.pace import Pace

TOTAL = 10_000_000


def told(steps):
    """What is told of (second, bytes done, bytes fetched)."""
    pace = Pace("musicgen", "small")
    said = []
    for now, done, fetched in steps:
        progress = Progress("model.safetensors", "model", done, TOTAL, done, TOTAL, fetched, int(done == TOTAL), 1)
        if (event := pace.hear(progress, now)) is not None:
            said.append((now, event))
    return said


def test_no_number_falls_when_a_damaged_file_begins_anew():
    counts = [0, 4_000_000, 9_000_000, 0, 1_000_000, 9_500_000, TOTAL]
    events = [event for _, event in told((second, done, 0) for second, done in enumerate(counts))]
    for name in ("overall_percent", "component_percent", "bytes_downloaded", "files_completed"):
        values = [getattr(event, name) for event in events]
        assert values == sorted(values), name
    assert events[-1].overall_percent == 100


def test_it_is_told_at_each_percent_or_half_second_but_not_more_than_ten_times_a_second():
    fast = told((step / 100, step * TOTAL // 300, step * TOTAL // 300) for step in range(301))
    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(fast)]
    assert min(gaps[:-1]) >= 0.0999
    assert fast[-1][1].overall_percent == 100
    still = told((step / 10, 0, 0) for step in range(100))
    assert [round(now, 1) for now, _ in still[:4]] == [0, 0.5, 1.0, 1.5]


def test_speed_and_time_left_are_of_what_comes_now_and_not_of_what_lay_here():
    here = 5_000_000
    events = told((second / 10, here + second * 50_000, second * 50_000) for second in range(50))
    assert (events[0][1].bytes_per_sec, events[0][1].eta_sec) == (None, None)
    last = events[-1][1]
    assert abs(last.bytes_per_sec - 500_000) < 1_000
    assert abs(last.eta_sec - (TOTAL - last.bytes_downloaded) / 500_000) < 0.5


def test_where_nothing_comes_any_more_the_speed_falls_and_no_time_left_is_made_up():
    steps = [(second / 10, second * 50_000, second * 50_000) for second in range(20)]
    steps += [(2 + second / 2, 950_000, 950_000) for second in range(200)]
    last = told(steps)[-1][1]
    assert last.bytes_per_sec < 1
    assert last.eta_sec is None
