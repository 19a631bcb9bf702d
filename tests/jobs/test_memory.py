"""What the worker holds, from what it says."""

from __future__ import annotations

import pytest

from lofi_daemon.backends.base import Equipment
from lofi_daemon.engine.link import Cancelled, Failed, Progress, Started
from lofi_daemon.jobs.job import Job
from lofi_daemon.jobs.memory import Memory
from lofi_daemon.model import StageParams


def job_of(model: str, backend: str = "musicgen") -> Job:
    params = StageParams(backend=backend, prompt="rain", duration_sec=5, seed=1, model=model)
    equipment = Equipment(f"{backend}-{model}", (f"/models/{model}",) if model else ())
    return Job("a", (params,), (("f" * 64,),), (equipment,), "normal", False)


@pytest.fixture
def told() -> list[str | None]:
    return []


@pytest.fixture
def memory(told):
    return Memory(lambda params: told.append(params.model if params else None))


def run(memory, job, *messages):
    for message in (Started("a", "cpu"), *messages):
        memory.hear(message, job)


DONE = Progress("a", 1, 10)


def test_loading_lasts_from_the_start_to_the_first_step(memory, told):
    run(memory, job_of("small"))
    assert (told, memory.backends()) == (["small"], [])
    memory.hear(DONE, job_of("small"))
    assert (told, memory.backends()) == (["small", None], ["musicgen"])


def test_what_is_held_is_not_loaded_again_and_another_model_is(memory, told):
    run(memory, job_of("small"), DONE)
    run(memory, job_of("small"), DONE)
    assert told == ["small", None]
    run(memory, job_of("medium"), DONE)
    assert told == ["small", None, "medium", None]


@pytest.mark.parametrize(
    ("end", "held"),
    [(Failed("a", "MODEL_LOAD_FAILED", "It is damaged."), []), (Cancelled("a", 0, 10), ["musicgen"])],
)
def test_a_job_that_ends_while_it_loads_ends_the_loading(memory, told, end, held):
    run(memory, job_of("small"), end)
    assert (told, memory.backends()) == (["small", None], held)


def test_the_end_of_the_worker_and_unloading_empty_it(memory, told):
    run(memory, job_of("small"), DONE)
    memory.drop(("musicgen",))
    run(memory, job_of("small"))
    memory.clear()
    assert (told, memory.backends()) == (["small", None] * 2, [])


def test_a_backend_without_weights_never_loads(memory, told):
    run(memory, job_of("", "synth"), DONE)
    assert (told, memory.backends()) == ([], ["synth"])


def test_what_is_said_of_a_job_that_is_over_counts_for_nothing(memory, told):
    memory.hear(Started("b", "cpu"), job_of("small"))
    memory.hear(Started("a", "cpu"), None)
    assert told == []
