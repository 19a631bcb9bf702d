"""A user who skips, pauses, asks, cancels and changes the programme, with a worker that fails now and then."""

import asyncio
import random

import pytest
from support.radio_stage import library_track, on_stage, until

from lofi_daemon.errors import LofiError
from lofi_daemon.radio.radio import PATIENCE_SEC
from lofi_daemon.stages.request import StageRequest

STRATEGIES = ("same_prompt", "preset_cycle", "random_preset", "library")


async def ask(stage, dice):
    request = StageRequest(backend="synth", prompt="mine", duration_sec=dice.choice([10, 300]))
    try:
        await stage.generate(request, dice.choice(["high", "normal"]), None)
    except LofiError as error:
        assert error.name == "QUEUE_FULL"


async def be_restless(stage, dice, programme):
    """One thing that a user or fate does."""
    player, what = stage.player, dice.random()
    if player.paused:
        player.resume()
    elif what < 0.2:
        player.skip()
    elif what < 0.3 and player.current:
        player.pause()
    elif what < 0.4:
        await ask(stage, dice)
    elif what < 0.5:
        stage.worker.failing ^= {dice.choice(["neural", "synth"])}
    elif what < 0.55 and stage.jobs.current:
        stage.jobs.cancel(stage.jobs.current)
    elif what < 0.58:
        await stage.radio.begin(**programme)
    elif what < 0.62 and player.upcoming:
        await player.take_out(player.upcoming[0].id)
        player._list()


@pytest.mark.parametrize("seed", range(16))
def test_whatever_happens_the_music_comes_back_within_seconds(seed):
    dice = random.Random(seed)
    programme = {"strategy": dice.choice(STRATEGIES), "backend": dice.choice(["neural", "synth"])}

    async def scene(stage):
        await stage.radio.begin(**programme)
        await until(lambda: stage.player.current is not None, 60)
        for _ in range(100):
            before = stage.player.silence_sec()
            await be_restless(stage, dice, programme)
            await asyncio.sleep(dice.choice([0.05, 1, 7, 40, 130]))
            assert stage.player.silence_sec() - before <= PATIENCE_SEC + 2
        assert stage.player.most_ahead <= 2
        assert stage.radio.state().active
        await stage.radio.end()
        await asyncio.sleep(1)
        assert not [job for job in stage.jobs.live() if job.id.startswith("radio-")]

    on_stage(
        scene,
        seed=seed,
        speed={"neural": dice.choice([0.1, 0.6, 2, 8]), "synth": dice.choice([0.02, 0.2])},
        duration_sec=dice.choice([8, 60, 180, 400]),
        tracks=[library_track(f"old {i}", dice.choice([20, 200])) for i in range(dice.choice([0, 1, 3]))],
    )
