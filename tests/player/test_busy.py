"""Music while every core composes. Whether a card of its own pace runs dry then is what bench/player.py counts."""

import asyncio
import os

import numpy as np
import pytest
from support.sound import noise, save
from support.sound_card import SoundCards

from lofi_daemon.backends.base import Equipment
from lofi_daemon.config import Settings
from lofi_daemon.engine.host import EngineHost, worker_environment
from lofi_daemon.engine.link import Run, Started
from lofi_daemon.model import StageParams
from lofi_daemon.player.player import Player

RATE = 48_000
FADE = 960
CORES = min(os.cpu_count() or 1, 8)


@pytest.fixture
def cards(tmp_path, monkeypatch):
    folder = tmp_path / "cards"
    folder.mkdir()
    cards = SoundCards(folder, "speakers", speed=1.2)
    for name, value in cards.env.items():
        monkeypatch.setenv(name, value)
    yield cards
    cards.close()


def test_no_sample_is_lost_or_repeated_while_workers_keep_every_core_busy(cards, tmp_path):
    frames = noise(12.0, rate=RATE)
    path = save(tmp_path / "a.wav", frames, subtype="FLOAT")
    heard = []

    async def scene():
        workers = [EngineHost(heard.append, print, worker_environment(Settings())) for _ in range(CORES)]
        player = Player(lambda event: None, "sounddevice")
        try:
            for number, worker in enumerate(workers):
                staging = tmp_path / str(number)
                staging.mkdir()
                params = StageParams(backend="synth", prompt="dusty beats", duration_sec=600, seed=number)
                await worker.send(Run(str(number), (params,), (("ab" * 32,),), (Equipment("v"),), str(staging)))
            async with asyncio.timeout(200):
                while sum(isinstance(message, Started) for message in heard) < len(workers):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                await player.play("t", path)
                while len(cards.heard("speakers")) < 9 * RATE:  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert player.underruns == 0
        finally:
            await asyncio.gather(player.close(), *(worker.close() for worker in workers))

    asyncio.run(scene())
    music = cards.heard("speakers")
    begin = np.flatnonzero((music == frames[FADE]).all(axis=1))[0] - FADE
    np.testing.assert_array_equal(music[begin + FADE : begin + 8 * RATE], frames[FADE : 8 * RATE])
