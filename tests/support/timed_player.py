"""A player without sound for the timers: it has a state, a duck factor, and writes down what it was told."""

from __future__ import annotations

import asyncio

from lofi_daemon.player.events import PlayerState


class TimedPlayer:
    def __init__(self, state="playing"):
        self.name, self.told, self.ducks = state, [], []

    def state(self):
        return PlayerState(
            state=self.name, volume=0.7, crossfade_sec=6, loop="off", shuffle=False, playlist_length=1,
            playlist_index=0,
        )  # fmt: skip

    def duck(self, factor):
        self.ducks.append((round(asyncio.get_running_loop().time(), 2), factor))

    async def pause(self):
        return self._become("paused", "pause")

    async def resume(self):
        return self._become("playing", "resume")

    async def stop(self):
        return self._become("stopped", "stop")

    async def start(self):
        self._become("playing", "start")

    def _become(self, state, command):
        self.told.append((command, round(asyncio.get_running_loop().time())))
        self.name = state
        return self.state()

    def commands(self):
        return [command for command, _ in self.told]
