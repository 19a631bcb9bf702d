"""When a track that is still being made may be heard: the formula, and listeners to makers of every speed."""

import math
import random

import pytest

from lofi_daemon.player.lead import MARGIN, MIN_LEAD_SEC, Slowness, needed_lead_sec

SLOW = 1 + MARGIN


@pytest.mark.parametrize(
    ("left", "slowness", "chunk", "lead"),
    [
        (0.0, math.inf, 1.0, 0.0),  # nothing can run dry
        (100.0, 0.2, 0.25, MIN_LEAD_SEC),  # five times as fast as it plays
        (100.0, 1 / SLOW, 0.25, MIN_LEAD_SEC),  # just as fast, once the margin is gone
        (100.0, 1.0, 0.25, 100 * MARGIN + 0.25),
        (60.0, 2.0, 0.25, 60 * (2 * SLOW - 1) + 0.25),  # half as fast
        (10.0, 0.5, 8.0, 4.0 * SLOW),  # comes in pieces that take 4 s each
        (100.0, math.inf, 0.25, math.inf),  # who knows
    ],
)
def test_the_lead_is_what_the_maker_falls_behind_until_it_is_done(left, slowness, chunk, lead):
    assert needed_lead_sec(left, slowness, chunk) == pytest.approx(lead)


def listen(total, chunk, waits):
    """Seconds of silence that one hears, and how often; ``waits`` are the wall-clock seconds before each chunk."""
    slowness, now, ready, heard, lead, plays = Slowness(), 0.0, 0.0, 0.0, math.inf, False
    silent, starved, started, leads = 0.0, 0, None, []
    for wait in waits:
        now += wait
        if plays:
            heard += wait
            if heard > ready + 1e-9:
                silent += heard - ready
                heard, plays, starved = ready, False, starved + 1
        size = min(chunk, total - ready)
        ready += size
        slowness.heard(size, now)
        lead = needed_lead_sec(total - ready, slowness.at_most(), slowness.chunk_sec)
        if not plays and ready - heard >= lead:
            plays = True
            started = now if started is None else started
            leads.append(ready - heard if ready < total - 1e-9 else MIN_LEAD_SEC)
    return started, starved, leads


@pytest.mark.parametrize("chunk", [0.25, 1.0, 5.0])
@pytest.mark.parametrize("speed", [0.3, 0.7, 0.95, 1.0, 1.1, 2.0, 10.0])
def test_a_steady_maker_never_starves_its_listener_who_does_not_wait_for_the_end_needlessly(speed, chunk):
    total = 120.0
    count = math.ceil(total / chunk)
    started, starved, _ = listen(total, chunk, [chunk / speed] * count)
    assert starved == 0
    if speed >= 1.5:
        assert started <= max(MIN_LEAD_SEC, 4 * chunk) / speed + chunk
    if speed < 0.9:
        ideal = total / speed - total
        assert ideal <= started <= ideal + 2 * MARGIN * total / speed + 5 * chunk


@pytest.mark.parametrize("seed", range(40))
def test_jitter_within_the_margin_never_starves(seed):
    draw = random.Random(seed)
    speed, chunk, total = draw.uniform(0.4, 3.0), draw.choice([0.25, 0.5, 1.0]), 120.0
    waits = [chunk / speed * draw.uniform(1 - MARGIN, 1 + MARGIN) for _ in range(math.ceil(total / chunk))]
    assert listen(total, chunk, waits)[1] == 0


@pytest.mark.parametrize("speed", [0.4, 0.8, 1.0, 1.1])
def test_a_maker_whose_speed_falls_by_the_margin_once_one_listens_does_not_starve_the_listener(speed):
    total, chunk = 120.0, 0.5
    steady = [chunk / speed] * round(total / chunk)
    begun = round(listen(total, chunk, steady)[0] / steady[0])
    assert listen(total, chunk, [w if i < begun else w * (1 + MARGIN) for i, w in enumerate(steady)])[1] == 0
    assert listen(total, chunk, [w if i < begun else w * 1.5 for i, w in enumerate(steady)])[1] > 0


def test_a_speed_that_varies_counts_as_slower_until_more_of_it_is_known():
    def after(pairs):
        slowness = Slowness()
        for i in range(2 * pairs + 1):
            slowness.heard(1.0, i + 0.4 * (i % 2))
        return slowness.at_most()

    assert after(1) == math.inf
    assert after(2) > after(10) > 1.1
    steady = Slowness()
    for i in range(10):
        steady.heard(1.0, i * 0.5)
    assert steady.at_most() == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(20))
def test_a_maker_that_slows_down_starves_seldom_and_never_makes_it_stutter(seed):
    draw = random.Random(seed)
    total, chunk = 120.0, 0.5
    waits = [chunk / 2.0] * 60 + [chunk * draw.uniform(1.5, 3.0) for _ in range(180)]
    _, starved, leads = listen(total, chunk, waits)
    assert 0 < starved <= 5
    assert min(leads) >= MIN_LEAD_SEC
