"""What next, and when to ask: the pure decisions."""

from dataclasses import replace
from random import Random

import pytest

from lofi_daemon.radio.prefetch import MAX_FILLER_SEC, WAIT, Decision, Situation, Speeds, decide, gives_way
from lofi_daemon.radio.strategies import Mood, Programme, next_mood

CALM = Situation(
    left_sec=120, playing_sec=180, ahead=0, ahead_sec=0, making=False, may_make=True, duration_sec=180, work_sec=60,
    composer_work_sec=None, crossfade_sec=6,
)  # fmt: skip
SLOW = replace(CALM, work_sec=540, composer_work_sec=60)
MAKE = Decision("make", 180)


@pytest.mark.parametrize(
    ("now", "want"),
    [
        (CALM, WAIT),
        (replace(CALM, left_sec=109), MAKE),  # 60 s of work × 1.5, 10 s of margin, 10 s of last call
        (replace(CALM, left_sec=111), WAIT),
        (replace(CALM, left_sec=111, lead_factor=2.0), MAKE),
        (replace(CALM, left_sec=100, crossfade_sec=0), MAKE),
        (replace(CALM, left_sec=130, crossfade_sec=30), MAKE),
        (replace(CALM, left_sec=100, making=True), WAIT),
        (replace(CALM, left_sec=100, may_make=False), WAIT),
        (replace(CALM, left_sec=100, ahead=1, ahead_sec=180), WAIT),
        (replace(CALM, work_sec=18), MAKE),  # cheap: a skip has somewhere to go
        (replace(CALM, work_sec=18, ahead=1, ahead_sec=180), WAIT),
        (replace(CALM, work_sec=18, may_make=False), WAIT),
        (replace(CALM, left_sec=10), Decision("library")),
        (replace(CALM, left_sec=10, making=True), Decision("library")),
        (replace(CALM, left_sec=10, may_make=False), Decision("library")),
        (replace(CALM, left_sec=10, ahead=1, ahead_sec=5), WAIT),
        (replace(CALM, left_sec=0, playing_sec=0), Decision("library")),
        (replace(CALM, left_sec=34, crossfade_sec=30), Decision("library")),
        (replace(CALM, left_sec=3, playing_sec=5), MAKE),  # a short track has a short last call
        (replace(CALM, left_sec=120, standing_in=True), MAKE),
        (replace(CALM, left_sec=120, standing_in=True, ahead=1, ahead_sec=180), WAIT),
        (SLOW, Decision("fill", MAX_FILLER_SEC)),
        (replace(SLOW, work_sec=150), Decision("fill", 150 * 1.5 + 20 - 120)),
        (replace(SLOW, left_sec=40), Decision("make", 180)),  # no time for a filler either: the library will bridge
        (replace(SLOW, ahead=1, ahead_sec=600), MAKE),  # covered
        (replace(SLOW, ahead=1, ahead_sec=180), WAIT),
        (replace(SLOW, ahead=2, ahead_sec=600), WAIT),
        (replace(SLOW, work_sec=2000, ahead=1, ahead_sec=600), MAKE),  # covered as well as can be
    ],
)
def test_decisions(now, want):
    assert decide(now) == want


def test_nobody_is_asked_twice_whatever_the_numbers():
    dice = Random(3)
    for _ in range(5000):
        now = Situation(
            left_sec=dice.uniform(0, 600), playing_sec=600, ahead=dice.randrange(4), ahead_sec=dice.uniform(0, 600),
            making=dice.random() < 0.5, may_make=dice.random() < 0.5, duration_sec=dice.uniform(5, 600),
            work_sec=dice.uniform(0, 3000), composer_work_sec=dice.choice([None, dice.uniform(0, 100)]),
            crossfade_sec=dice.uniform(0, 30), standing_in=dice.random() < 0.5,
        )  # fmt: skip
        decision = decide(now)
        if now.making or not now.may_make or now.ahead >= 2:
            assert decision.step in ("wait", "library")
        if now.ahead:
            assert decision.step != "library"
        if decision.step == "fill":
            assert 60 <= decision.duration_sec <= MAX_FILLER_SEC


def test_speed_is_guessed_with_care_then_measured_and_smoothed():
    speeds = Speeds()
    assert speeds.expected_sec("synth", 180) == 18
    assert speeds.expected_sec("ace_step", 180) == 720
    speeds.observe("ace_step", 180, 90)
    assert speeds.expected_sec("ace_step", 180) == 90
    speeds.observe("ace_step", 180, 180)
    assert 90 < speeds.expected_sec("ace_step", 180) < 180
    assert speeds.expected_sec("synth", 180) == 18
    speeds.observe("synth", 0, 5)
    assert speeds.expected_sec("synth", 180) == 18


@pytest.mark.parametrize(("rest", "music", "want"), [(60, 120, True), (4, 120, False), (60, 20, False)])
def test_work_is_put_off_for_the_user_unless_nearly_done_or_silence_is_near(rest, music, want):
    assert gives_way(rest, music) is want


MOODS = tuple(Mood(f"prompt {i}", f"p{i}") for i in range(4))


def test_moods_by_strategy():
    dice = Random(1)
    same = Programme("same_prompt", MOODS[:1])
    assert next_mood(same, MOODS[0], dice) == MOODS[0]
    cycle = Programme("preset_cycle", MOODS)
    assert next_mood(cycle, None, dice) == MOODS[0]
    assert [next_mood(cycle, mood, dice) for mood in MOODS] == [*MOODS[1:], MOODS[0]]
    assert next_mood(cycle, Mood("gone"), dice) == MOODS[0]
    any_of = Programme("random_preset", MOODS)
    last, seen = None, set()
    for _ in range(200):
        mood = next_mood(any_of, last, dice)
        assert mood != last
        seen.add(mood)
        last = mood
    assert seen == set(MOODS)
    assert next_mood(Programme("random_preset", MOODS[:1]), MOODS[0], dice) == MOODS[0]
