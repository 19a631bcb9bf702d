"""The two interfaces of an MPRIS player, served by dbus-fast. Imported only where that is installed."""

# No `from __future__ import annotations`: dbus-fast reads the D-Bus signatures from them.
import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Annotated

from dbus_fast import DBusError, PropertyAccess, RequestNameReply, Variant
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusBool, DBusDict, DBusDouble, DBusInt64, DBusObjectPath, DBusSignature, DBusStr
from dbus_fast.constants import NameFlag
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from ..errors import LofiError
from .view import LOOPS, View

NAME = "org.mpris.MediaPlayer2.lofi"
PATH = "/org/mpris/MediaPlayer2"
ERROR = "org.mpris.MediaPlayer2.lofi.Error"

Call = Callable[[str, dict[str, object]], Awaitable[object]]
"""Asks a method of doc/PROTOCOL.md, with its params."""

Strings = Annotated[list[str], DBusSignature("as")]

_log = logging.getLogger(__name__)


class Root(ServiceInterface):
    """What the player is. It cannot be raised, and leaves by itself."""

    def __init__(self) -> None:
        super().__init__("org.mpris.MediaPlayer2")

    @dbus_method(name="Raise")
    def raise_window(self) -> None:
        pass

    @dbus_method(name="Quit")
    def leave(self) -> None:
        pass

    @dbus_property(PropertyAccess.READ, name="CanQuit")
    def can_quit(self) -> DBusBool:
        return False

    @dbus_property(PropertyAccess.READ, name="CanRaise")
    def can_raise(self) -> DBusBool:
        return False

    @dbus_property(PropertyAccess.READ, name="HasTrackList")
    def has_track_list(self) -> DBusBool:
        return False

    @dbus_property(PropertyAccess.READ, name="Identity")
    def identity(self) -> DBusStr:
        return "lofi"

    @dbus_property(PropertyAccess.READ, name="SupportedUriSchemes")
    def uri_schemes(self) -> Strings:
        return []

    @dbus_property(PropertyAccess.READ, name="SupportedMimeTypes")
    def mime_types(self) -> Strings:
        return []


class PlayerInterface(ServiceInterface):
    """What it plays. ``look`` shows the player now; everything is done by asking ``call``."""

    def __init__(self, look: Callable[[], View], call: Call) -> None:
        super().__init__("org.mpris.MediaPlayer2.Player")
        self._look = look
        self._call = call
        self._shown = _properties(look())
        self._setting: set[asyncio.Task[None]] = set()

    def show(self) -> None:
        """Tell what has changed since the last time; the position is asked for, not told."""
        now = _properties(self._look())
        changed = {name: value for name, value in now.items() if self._shown[name] != value}
        self._shown = now
        if changed:
            self.emit_properties_changed(changed)

    async def _ask(self, method: str, **params: object) -> None:
        try:
            await self._call(method, params)
        except LofiError as error:
            raise DBusError(ERROR, error.message) from None

    def _set(self, method: str, **params: object) -> None:
        """A property cannot be set asynchronously; an error can only be logged."""

        async def change() -> None:
            try:
                await self._call(method, params)
            except LofiError as error:
                _log.warning("%s through MPRIS: %s", method, error.message)

        task = asyncio.ensure_future(change())
        self._setting.add(task)
        task.add_done_callback(self._setting.discard)

    @dbus_method(name="Next")
    async def next(self) -> None:
        await self._ask("skip")

    @dbus_method(name="Previous")
    async def previous(self) -> None:
        await self._ask("previous")

    @dbus_method(name="Pause")
    async def pause(self) -> None:
        await self._ask("pause")

    @dbus_method(name="PlayPause")
    async def play_pause(self) -> None:
        await self._ask("toggle")

    @dbus_method(name="Stop")
    async def stop(self) -> None:
        await self._ask("stop")

    @dbus_method(name="Play")
    async def play(self) -> None:
        if self._look().status != "Playing":
            await self._ask("play")

    @dbus_method(name="Seek")
    async def seek(self, offset: DBusInt64) -> None:
        """Before the start means the start, beyond the end the next track."""
        now = self._look()
        if not now.has_music:
            return
        target = max(0, now.position + offset)
        if target > now.length:
            await self._ask("skip")
        else:
            await self._ask("seek", position_sec=target / 1e6)

    @dbus_method(name="SetPosition")
    async def set_position(self, track: DBusObjectPath, position: DBusInt64) -> None:
        """Of a track that is gone, or out of its range: not heard, says the specification."""
        now = self._look()
        if now.has_music and track == now.track and 0 <= position <= now.length:
            await self._ask("seek", position_sec=position / 1e6)

    @dbus_method(name="OpenUri")
    def open_uri(self, uri: DBusStr) -> None:
        raise DBusError(ERROR, "lofi plays what is in its library only.")

    @dbus_signal(name="Seeked")
    def seeked(self) -> DBusInt64:
        return self._look().position

    @dbus_property(PropertyAccess.READ, name="PlaybackStatus")
    def playback_status(self) -> DBusStr:
        return self._look().status

    @dbus_property(name="LoopStatus")
    def loop_status(self) -> DBusStr:
        return self._look().loop

    @loop_status.setter
    def set_loop_status(self, status: DBusStr) -> None:
        if status in LOOPS:
            self._set("playlist_mode", loop=LOOPS[status])

    @dbus_property(name="Shuffle")
    def shuffle(self) -> DBusBool:
        return self._look().shuffle

    @shuffle.setter
    def set_shuffle(self, on: DBusBool) -> None:
        self._set("playlist_mode", shuffle=on)

    @dbus_property(name="Volume")
    def volume(self) -> DBusDouble:
        return self._look().volume

    @volume.setter
    def set_volume(self, level: DBusDouble) -> None:
        self._set("volume_set", level=min(1.0, max(0.0, level)))

    @dbus_property(PropertyAccess.READ, name="Metadata")
    def metadata(self) -> DBusDict:
        return _metadata(self._look())

    @dbus_property(PropertyAccess.READ, name="Position")
    def position(self) -> DBusInt64:
        return self._look().position

    @dbus_property(name="Rate")
    def rate(self) -> DBusDouble:
        return 1.0

    @rate.setter
    def set_rate(self, rate: DBusDouble) -> None:
        """There is one rate; the specification takes 0 for a pause."""
        if rate == 0.0:
            self._set("pause")

    @dbus_property(PropertyAccess.READ, name="MinimumRate")
    def minimum_rate(self) -> DBusDouble:
        return 1.0

    @dbus_property(PropertyAccess.READ, name="MaximumRate")
    def maximum_rate(self) -> DBusDouble:
        return 1.0

    @dbus_property(PropertyAccess.READ, name="CanGoNext")
    def can_go_next(self) -> DBusBool:
        return True

    @dbus_property(PropertyAccess.READ, name="CanGoPrevious")
    def can_go_previous(self) -> DBusBool:
        return True

    @dbus_property(PropertyAccess.READ, name="CanPlay")
    def can_play(self) -> DBusBool:
        return True

    @dbus_property(PropertyAccess.READ, name="CanPause")
    def can_pause(self) -> DBusBool:
        return True

    @dbus_property(PropertyAccess.READ, name="CanSeek")
    def can_seek(self) -> DBusBool:
        return self._look().has_music

    @dbus_property(PropertyAccess.READ, name="CanControl")
    def can_control(self) -> DBusBool:
        return True


class Service:
    """A player on the session bus. Made by ``connect``."""

    def __init__(self, bus: MessageBus, player: PlayerInterface) -> None:
        self._bus = bus
        self._player = player

    @classmethod
    async def connect(cls, look: Callable[[], View], call: Call) -> "Service":
        """Raises OSError, DBusError or others of dbus-fast where there is no bus that takes us."""
        player = PlayerInterface(look, call)
        bus = await MessageBus().connect()
        bus.export(PATH, Root())
        bus.export(PATH, player)
        # Another daemon of the same user may have the name: then ours is told apart as the specification says.
        for name in (NAME, f"{NAME}.instance{os.getpid()}"):
            if await bus.request_name(name, NameFlag.DO_NOT_QUEUE) == RequestNameReply.PRIMARY_OWNER:
                break
        return cls(bus, player)

    def show(self) -> None:
        """The player has changed."""
        self._player.show()

    def seeked(self) -> None:
        """The position has jumped."""
        self._player.seeked()

    async def gone(self) -> None:
        """Returns when the bus has ended."""
        with contextlib.suppress(EOFError, OSError):  # how a lost connection ends
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]

    def close(self) -> None:
        self._bus.disconnect()


def _metadata(now: View) -> dict[str, Variant]:
    data = {"mpris:trackid": Variant("o", now.track)}
    if now.has_music:
        data |= {
            "mpris:length": Variant("x", now.length),
            "xesam:title": Variant("s", now.title),
            "xesam:artist": Variant("as", ["lofi"]),
        }
    return data


def _properties(now: View) -> dict[str, object]:
    """Those whose changes are told."""
    return {
        "PlaybackStatus": now.status,
        "LoopStatus": now.loop,
        "Shuffle": now.shuffle,
        "Volume": now.volume,
        "Metadata": _metadata(now),
        "CanSeek": now.has_music,
    }
