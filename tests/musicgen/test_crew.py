"""How many threads a step is given, on machines whose steps take made-up times."""

from __future__ import annotations

from collections import Counter

import pytest

from lofi_daemon.backends.musicgen.crew import TRIAL_STEPS, TRUST_STEPS, Cores, Crew


def run(crew, steps, seconds):
    """What was proposed for each step, where one with n threads takes ``seconds(n, step)``."""
    proposed = []
    for step in range(steps):
        threads = crew.next()
        proposed.append(threads)
        crew.tell(threads, seconds(threads, step))
    return proposed


def settled(crew, seconds):
    run(crew, 8 * TRIAL_STEPS, seconds)
    return crew.next()


@pytest.mark.parametrize(
    ("most", "seconds", "best"),
    [
        (1, lambda threads: 1.0, 1),
        (2, lambda threads: 1 / threads, 2),
        (2, lambda threads: 1.0 if threads == 1 else 0.97, 1),
        (2, lambda threads: 1.0 * threads, 1),
        (8, lambda threads: max(1 / threads, 0.25), 4),
        (6, lambda threads: 1 / threads, 6),
        (64, lambda threads: 1 / threads, 64),
    ],
    ids=["one core", "two help", "two hardly help", "two hinder", "memory is full with four", "six", "sixty-four"],
)
def test_it_settles_on_the_fewest_that_are_as_quick_as_any(most, seconds, best):
    assert settled(Crew(most), lambda threads, step: seconds(threads)) == best


def test_only_what_there_is_is_tried():
    assert set(run(Crew(6), 100, lambda threads, step: 1.0)) == {1, 2, 4, 6}
    assert set(run(Crew(1), 1000, lambda threads, step: 1.0)) == {1}


def test_a_disturbance_within_a_trial_does_not_decide_it():
    """The scheduler takes the core away for a while: that step says nothing of the number of threads."""
    assert settled(Crew(2), lambda threads, step: 50 if threads == 2 and step % TRIAL_STEPS == 1 else 1 / threads) == 2


def test_it_follows_when_somebody_else_takes_a_core_and_when_they_give_it_back():
    crew = Crew(2)
    busy = range(1000, 2000)
    proposed = run(crew, 3000, lambda threads, step: 2.0 if threads == 2 and step in busy else 1 / threads)
    around = 2 * (TRUST_STEPS + 4 * TRIAL_STEPS)
    assert Counter(proposed[around:1000]).most_common(1)[0][0] == 2
    assert Counter(proposed[1000 + around : 2000]).most_common(1)[0][0] == 1
    assert Counter(proposed[2000 + around :]).most_common(1)[0][0] == 2


def test_trials_cost_little():
    proposed = run(Crew(2), 3000, lambda threads, step: 1 / threads)
    assert proposed.count(1) / len(proposed) < 0.05


def test_cores_that_are_lent_are_left_alone_and_one_always_steps():
    crew = Crew(4)
    assert settled(crew, lambda threads, step: 1 / threads) == 4
    assert [crew.next(lent) for lent in (0, 1, 3, 4)] == [4, 3, 1, 1]


@pytest.mark.parametrize(("total", "lent"), [(1, 1), (2, 1), (4, 1), (16, 4)])
def test_a_quarter_of_the_cores_is_lent_and_given_back_whatever_happens(total, lent):
    cores = Cores(total)
    with pytest.raises(KeyError), cores.borrowed() as count:
        assert (count, cores.lent) == (lent, lent)
        raise KeyError
    assert cores.lent == 0
