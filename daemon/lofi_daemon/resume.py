"""``player.resume``: the playlist and the place in it survive a restart of the daemon."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from .errors import LofiError
from .library.durable import make_folder, named_errors, new_file
from .library.offloop import OffLoop
from .model import Track
from .player.player import Player
from .player.playlist import item_of
from .player.state import GAP_SEC, StateKeeper, read_state

FILE_NAME = "player.json"

_log = logging.getLogger(__name__)


class FindsTracks(Protocol):
    async def find_some(self, track_ids: Sequence[str]) -> list[Track]: ...


class Resume:
    """Restores the player from ``folder``/player.json and keeps that file. The last daemon to write it wins."""

    def __init__(self, player: Player, library: FindsTracks, folder: Path, *, gap_sec: float = GAP_SEC) -> None:
        self._player = player
        self._library = library
        self._path = folder / FILE_NAME
        self._disk = OffLoop("player-state")
        self._keeper = StateKeeper(player.saved, self._write, gap_sec)
        self._beginning: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._beginning = asyncio.get_running_loop().create_task(self._begin())

    async def close(self) -> None:
        """Save what there is now: before the player is closed, which stops what it plays."""
        if self._beginning and not self._beginning.done():
            self._beginning.cancel()
        else:
            await self._keeper.close()
        self._disk.close()

    async def _begin(self) -> None:
        """What cannot be restored is left as it lies, and then nothing is saved over it."""
        saved = await self._disk.run(read_state, self._path)
        if saved:
            try:
                tracks = await self._library.find_some(saved.track_ids)
            except LofiError as error:
                _log.warning("the playlist is not restored: %s", error.message)
                return
            await self._player.set_volume(saved.volume)
            items = [item_of(track) for track in tracks]
            await self._player.restore(items, saved.current_id, saved.position_sec, saved.loop, saved.shuffle)
        self._keeper.begin()

    async def _write(self, content: bytes) -> None:
        await self._disk.run(self._write_here, content)

    def _write_here(self, content: bytes) -> None:
        make_folder(self._path.parent)
        with named_errors(self._path), new_file(self._path) as file:
            file.write(content)
