"""The daemon on a session bus, as playerctl and the desktop's media keys meet it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from dbus_fast import DBusError, Message, MessageType, Variant
from dbus_fast.aio import MessageBus
from support.raw_daemon import PUPPET, RawDaemon
from support.sound_card import SoundCard, listening

NAME = "org.mpris.MediaPlayer2.lofi"
PATH = "/org/mpris/MediaPlayer2"
PLAYER = "org.mpris.MediaPlayer2.Player"
PROPERTIES = "org.freedesktop.DBus.Properties"

WITHIN_SEC = 60.0


class Desktop:
    """What a desktop does: calls, reads and hears a player over the bus."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self.heard: list[tuple[str, list[Any]]] = []
        bus.add_message_handler(self._hear)

    def _hear(self, message: Message) -> None:
        if message.message_type == MessageType.SIGNAL and message.path == PATH:
            self.heard.append((message.member or "", message.body))

    async def listen(self) -> None:
        await self._send("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "AddMatch",
                         "s", [f"type='signal',path='{PATH}'"])  # fmt: skip

    async def names(self) -> list[str]:
        (names,) = await self._send("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                    "ListNames")  # fmt: skip
        return [name for name in names if name.startswith("org.mpris.")]

    async def call(self, member: str, signature: str = "", *body: Any) -> None:
        await self._send(NAME, PATH, PLAYER, member, signature, list(body))

    async def get(self, name: str, interface: str = PLAYER) -> Any:
        (value,) = await self._send(NAME, PATH, PROPERTIES, "Get", "ss", [interface, name])
        return value.value

    async def set(self, name: str, signature: str, value: Any) -> None:
        await self._send(NAME, PATH, PROPERTIES, "Set", "ssv", [PLAYER, name, Variant(signature, value)])

    async def until(self, condition: Callable[[], Awaitable[bool]]) -> None:
        end = time.monotonic() + WITHIN_SEC
        while not await condition():
            assert time.monotonic() < end, f"never came; heard {self.heard}"
            await asyncio.sleep(0.01)

    async def until_property(self, name: str, value: Any) -> None:
        async def holds() -> bool:
            return bool(await self.get(name) == value)

        await self.until(holds)

    async def until_heard(self, member: str, bodies: list[list[Any]]) -> None:
        """Until the last signals of that name have been these."""

        async def heard() -> bool:
            return [body for name, body in self.heard if name == member][-len(bodies) :] == bodies

        await self.until(heard)

    async def until_told(self, name: str, value: Any) -> None:
        async def told() -> bool:
            return self.told(name)[-1:] == [value]

        await self.until(told)

    def told(self, name: str) -> list[Any]:
        """Every value of the property that was told, in order."""
        changes = [body[1] for member, body in self.heard if member == "PropertiesChanged" and body[0] == PLAYER]
        return [change[name].value for change in changes if name in change]

    async def _send(self, to: str, path: str, interface: str, member: str, signature: str = "",
                    body: list[Any] | None = None) -> list[Any]:  # fmt: skip
        reply = await self._bus.call(Message(to, path, interface, member, signature=signature, body=body or []))
        assert reply is not None
        if reply.message_type == MessageType.ERROR:
            raise DBusError(reply.error_name or "", str(reply.body))
        return list(reply.body)


def on_the_desktop(bus: Any, scene: Callable[[Desktop], Awaitable[None]]) -> None:
    async def play() -> None:
        connection = await MessageBus(bus.address).connect()
        try:
            desktop = Desktop(connection)
            await desktop.listen()
            await scene(desktop)
        finally:
            connection.disconnect()

    asyncio.run(play())


@pytest.fixture
def card(tmp_path) -> Iterator[SoundCard]:
    """A card that takes whatever comes."""
    with listening(tmp_path) as card:
        yield card


@pytest.fixture
def start(tmp_path, card, bus) -> Iterator[Callable[..., RawDaemon]]:
    """Starts a daemon on the bus, with a track of a minute in its library."""
    with contextlib.ExitStack() as stack:

        def start(*settings: str, address: str = "", folder: str = "cache") -> RawDaemon:
            env = card.env | {"DBUS_SESSION_BUS_ADDRESS": address or bus.address}
            sound = ("player.output=sounddevice", "player.crossfade_sec=0")
            daemon = RawDaemon(tmp_path / folder, PUPPET, *sound, *settings, env=env)
            stack.enter_context(daemon)
            make(daemon, "long rain")
            return daemon

        yield start


def make(daemon: RawDaemon, prompt: str) -> str:
    reply = daemon.result("generate", {"prompt": prompt, "backend": "synth"})
    daemon.end_of(reply["job_id"])
    return str(reply["track_id"])


def play(daemon: RawDaemon) -> str:
    return str(daemon.result("play")["track_id"])


async def appeared(desktop: Desktop, name: str = NAME) -> None:
    async def there() -> bool:
        return name in await desktop.names()

    await desktop.until(there)


def test_the_player_appears_with_the_first_music_and_says_what_plays(start, bus):
    daemon = start()

    async def scene(desktop: Desktop) -> None:
        assert await desktop.names() == []
        track = play(daemon)
        await appeared(desktop)
        assert await desktop.get("Identity", "org.mpris.MediaPlayer2") == "lofi"
        assert await desktop.get("PlaybackStatus") == "Playing"
        metadata = await desktop.get("Metadata")
        assert metadata["xesam:title"].value == "long rain"
        assert metadata["mpris:length"].value == 60_000_000
        assert metadata["mpris:trackid"].value == f"/lofi/track/{track}"
        assert 0 <= await desktop.get("Position") < 60_000_000
        for name, value in {"CanControl": True, "CanSeek": True, "LoopStatus": "None", "Shuffle": False,
                            "Rate": 1.0, "Volume": 0.7}.items():  # fmt: skip
            assert await desktop.get(name) == value, name

    on_the_desktop(bus, scene)


KEYS = [
    ("PlayPause", "Paused"), ("PlayPause", "Playing"), ("Pause", "Paused"), ("Play", "Playing"), ("Play", "Playing"),
    ("Stop", "Stopped"), ("Play", "Playing"),
]  # fmt: skip


def test_the_keys_pause_play_and_stop(start, bus):
    daemon = start()

    async def scene(desktop: Desktop) -> None:
        play(daemon)
        await appeared(desktop)
        for key, status in KEYS:
            await desktop.call(key)
            assert await desktop.get("PlaybackStatus") == status, key
            assert daemon.result("status")["playback"]["state"] == status.lower()

    on_the_desktop(bus, scene)


def test_next_and_previous_go_through_the_playlist(start, bus):
    daemon = start()
    second = make(daemon, "long wind")

    async def scene(desktop: Desktop) -> None:
        daemon.result("playlist_add", {"track_id": second})
        first = daemon.result("cache_list", {"sort": "oldest"})["tracks"][0]["id"]
        daemon.result("playlist_add", {"track_id": first})
        assert play(daemon) == second
        await appeared(desktop)
        await desktop.call("Next")
        assert daemon.result("status")["playback"]["track_id"] == first
        await desktop.call("Previous")
        assert (await desktop.get("Metadata"))["xesam:title"].value == "long wind"

    on_the_desktop(bus, scene)


def test_seeking_is_relative_set_position_absolute_and_both_are_told(start, bus):
    daemon = start()

    async def scene(desktop: Desktop) -> None:
        track = play(daemon)
        await appeared(desktop)
        await desktop.call("Pause")
        path = f"/lofi/track/{track}"
        await desktop.call("SetPosition", "ox", path, 20_000_000)
        assert await desktop.get("Position") == 20_000_000
        await desktop.call("Seek", "x", 5_000_000)
        assert await desktop.get("Position") == 25_000_000
        await desktop.call("Seek", "x", -60_000_000)
        assert await desktop.get("Position") == 0
        await desktop.until_heard("Seeked", [[20_000_000], [25_000_000], [0]])

        for gone, position in (("/lofi/track/other", 1), (path, -1), (path, 61_000_000)):
            await desktop.call("SetPosition", "ox", gone, position)
            assert await desktop.get("Position") == 0

    on_the_desktop(bus, scene)


def test_volume_loop_and_shuffle_can_be_set_and_changes_are_told_once(start, bus):
    daemon = start()

    async def scene(desktop: Desktop) -> None:
        play(daemon)
        await appeared(desktop)
        await desktop.set("Volume", "d", 0.25)
        await desktop.set("LoopStatus", "s", "Playlist")
        await desktop.set("Shuffle", "b", True)
        await desktop.until_property("Shuffle", True)
        state = daemon.result("status")["playback"]
        assert (state["volume"], state["loop"], state["shuffle"]) == (0.25, "all", True)
        await desktop.set("Volume", "d", 7.0)
        await desktop.until_property("Volume", 1.0)
        daemon.result("volume_set", {"level": 0.5})
        await desktop.until_property("Volume", 0.5)
        await desktop.call("Pause")
        await desktop.until_told("PlaybackStatus", "Paused")
        assert desktop.told("Volume") == [0.25, 1.0, 0.5]
        assert desktop.told("LoopStatus") == ["Playlist"]
        assert desktop.told("Shuffle") == [True]

    on_the_desktop(bus, scene)


def test_an_error_reaches_the_caller_in_a_sentence(start, bus):
    daemon = start()

    async def scene(desktop: Desktop) -> None:
        play(daemon)
        await appeared(desktop)
        with pytest.raises(DBusError, match="library"):
            await desktop.call("OpenUri", "s", "file:///etc/passwd")
        await desktop.call("Stop")
        daemon.result("cache_clear", {"keep_favorites": False})
        daemon.result("playlist_clear")
        with pytest.raises(DBusError, match="library is empty"):
            await desktop.call("Play")

    on_the_desktop(bus, scene)


def test_a_second_daemon_gets_a_name_of_its_own(start, bus):
    first, second = start(), start(folder="other")

    async def scene(desktop: Desktop) -> None:
        play(first)
        await appeared(desktop)
        play(second)
        await appeared(desktop, f"{NAME}.instance{second.process.pid}")

    on_the_desktop(bus, scene)


def test_a_user_who_wants_no_mpris_has_none(start, bus):
    daemon = start("player.mpris=false")

    async def scene(desktop: Desktop) -> None:
        play(daemon)
        daemon.result("pause")
        assert await desktop.names() == []

    on_the_desktop(bus, scene)


def test_without_a_bus_music_plays_and_the_log_says_why_keys_do_nothing(start, tmp_path):
    daemon = start(address=f"unix:path={tmp_path}/nowhere")
    play(daemon)
    until_logged(daemon, b"media keys will do nothing")
    assert daemon.result("status")["playback"]["state"] == "playing"
    assert not daemon.notifications("engine_notice") or all(
        "media keys" not in notice["params"]["message"] for notice in daemon.notifications("engine_notice")
    )


def test_a_bus_that_ends_takes_no_music_along(start, bus):
    daemon = start()

    async def scene(desktop: Desktop) -> None:
        play(daemon)
        await appeared(desktop)

    on_the_desktop(bus, scene)
    bus.end()
    until_logged(daemon, b"session bus has ended")
    assert daemon.result("pause")["state"] == "paused"
    assert b"Traceback" not in daemon.log


def until_logged(daemon: RawDaemon, text: bytes) -> None:
    end = time.monotonic() + WITHIN_SEC
    while text not in daemon.log:
        assert time.monotonic() < end, daemon.log.decode()
        time.sleep(0.01)
