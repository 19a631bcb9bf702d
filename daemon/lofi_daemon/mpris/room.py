"""When the daemon appears on the session bus, and that it never matters to the music whether it can."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from ..player.events import PlaybackSeeked, PlaybackStarted, PlayerEvent, PlayerNotice
from .view import View

if TYPE_CHECKING:
    from .service import Service

_log = logging.getLogger(__name__)


def wanted(enabled: bool, environ: Mapping[str, str] = os.environ) -> bool:
    """Whether there is a bus to appear on, a library to do it with, and a user who did not say no."""
    return (
        enabled
        and sys.platform == "linux"
        and bool(environ.get("DBUS_SESSION_BUS_ADDRESS"))
        and importlib.util.find_spec("dbus_fast") is not None
    )


class Mpris:
    """Appears with the first thing that happens in the player, so that starting and asking cost nothing.

    ``look`` shows the player; ``call`` asks a method of doc/PROTOCOL.md, so that a media key does exactly what the
    request of a client does. To be used on one event loop.
    """

    def __init__(self, look: Callable[[], View], call: Callable[[str, dict[str, object]], Awaitable[object]]) -> None:
        self._look = look
        self._call = call
        self._serving: asyncio.Task[None] | None = None
        self._service: Service | None = None
        self._telling = False
        self._jumped = False

    def heard(self, event: PlayerEvent) -> None:
        """Every event of the player. What happens in one go is told in one signal."""
        if isinstance(event, PlayerNotice):
            return
        if self._serving is None:
            self._serving = asyncio.get_running_loop().create_task(self._serve())
        self._jumped = self._jumped or isinstance(event, PlaybackSeeked | PlaybackStarted)
        if not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_soon(self._tell)

    async def close(self) -> None:
        if self._serving:
            self._serving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._serving

    async def _serve(self) -> None:
        try:
            # On a thread: it takes 50 ms, and the music has just begun.
            service = await asyncio.to_thread(_load)
            self._service = await service.connect(self._look, self._call)
            await self._service.gone()
            _log.info("the session bus has ended; media keys do nothing until the daemon starts again")
        except asyncio.CancelledError:
            raise
        except Exception as error:
            _log.warning("media keys will do nothing: %s", str(error) or type(error).__name__)
        finally:
            leaving, self._service = self._service, None
            if leaving:
                leaving.close()

    def _tell(self) -> None:
        self._telling = False
        jumped, self._jumped = self._jumped, False
        if self._service:
            self._service.show()
            if jumped:
                self._service.seeked()


def _load() -> type[Service]:
    from .service import Service

    return Service
