"""Tracks out of the library: at random, none again before all were heard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

from ..errors import LofiError
from ..model import Track

Page = Callable[[str | None, str, int, int], Awaitable[tuple[list[Track], int]]]
"""``Library.page``: query, sort, limit, offset → tracks and how many there are."""

PAGE = 200
DRAWS = 16


class Shelf:
    """One listener's walk through the library. ``page`` may raise LofiError: then the shelf is empty."""

    def __init__(self, page: Page, chance: Random) -> None:
        self._page = page
        self._chance = chance
        self._heard: set[str] = set()
        self._last: str | None = None

    def heard(self, track_id: str) -> None:
        """This track plays now or soon, whoever chose it."""
        self._heard.add(track_id)
        self._last = track_id

    async def pick(self) -> Track | None:
        """Any track not heard yet; when all were, any but the last one; None of an empty library."""
        track = await self._other_than(self._heard)
        if track is None and self._heard:
            self._heard = set()
            track = await self._other_than({self._last} if self._last else set()) or await self._other_than(set())
        if track:
            self.heard(track.id)
        return track

    async def like(self, prompt: str) -> Track | None:
        """A track made of exactly this prompt, unheard if there is one; None where there is none."""
        tracks, _ = await self._ask(prompt, "newest", PAGE, 0)
        fitting = [track for track in tracks if track.prompt == prompt]
        if not fitting:
            return None
        track = self._chance.choice([t for t in fitting if t.id not in self._heard] or fitting)
        self.heard(track.id)
        return track

    async def _other_than(self, ids: set[str]) -> Track | None:
        _, total = await self._ask(None, "oldest", 1, 0)
        for _ in range(DRAWS if total else 0):  # a large library is hardly ever read whole
            tracks, _ = await self._ask(None, "oldest", 1, self._chance.randrange(total))
            if tracks and tracks[0].id not in ids:
                return tracks[0]
        left: list[Track] = []
        for offset in range(0, total, PAGE):
            tracks, _ = await self._ask(None, "oldest", PAGE, offset)
            left += [track for track in tracks if track.id not in ids]
        return self._chance.choice(left) if left else None

    async def _ask(self, query: str | None, sort: str, limit: int, offset: int) -> tuple[list[Track], int]:
        try:
            return await self._page(query, sort, limit, offset)
        except LofiError:
            return [], 0
