"""Listeners for a player under test."""

from __future__ import annotations

from collections.abc import Callable

from lofi_daemon.player.events import PlayerEvent, PlaylistChanged


def all_but_playlist(events: list[PlayerEvent]) -> Callable[[PlayerEvent], None]:
    """Collects in ``events`` what is told of the music; the playlist's own changes have tests of their own."""

    def hear(event: PlayerEvent) -> None:
        if not isinstance(event, PlaylistChanged):
            events.append(event)

    return hear
