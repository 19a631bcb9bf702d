"""What came from what: the family of a track, drawn as a tree by who shows it."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Literal

from msgspec import Struct

from ..model import LatentRecord, Seed, StageType, Track

MOST = 500
"""Of a family: beyond that it is no tree that anybody reads."""

Kind = Literal["track", "latent", "gone"]


class Node(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A track, a latent that never became one, or either that is no longer there. ``parent_ids`` are of the same
    family; its sources first."""

    id: str
    kind: Kind
    parent_ids: tuple[str, ...]
    stage_type: StageType | None = None
    prompt: str | None = None
    backend: str | None = None
    model: str | None = None
    seed: Seed | None = None
    duration_sec: float | None = None
    created_at: str | None = None
    latent_id: str | None = None
    favorite: bool | None = None


class Kinship(Struct, frozen=True):
    """The parents of tracks and of latents by id; ``heard`` are the latents whose tracks carry on for them."""

    tracks: Mapping[str, tuple[str, ...]]
    latents: Mapping[str, tuple[str, ...]]
    heard: Collection[str]

    def parents(self, name: str) -> tuple[str, ...]:
        """Of a latent that became tracks, and of one that is gone where a track says enough, these are named alone."""
        named = self.tracks.get(name) or self.latents.get(name) or ()
        tracks = tuple(parent for parent in named if "-" not in parent)
        unheard = tuple(parent for parent in named if parent in self.latents and parent not in self.heard)
        return tracks + unheard or named


def family(name: str, kinship: Kinship) -> dict[str, tuple[str, ...]]:
    """The parents of each of the family of ``name``: all it came from, all that came from it, then all others that
    came from the same; at most ``MOST``."""
    children = defaultdict(list)
    for child in (*kinship.tracks, *kinship.latents):
        if child not in kinship.heard:
            for parent in kinship.parents(child):
                children[parent].append(child)
    found = dict.fromkeys(_closure([name], kinship.parents))
    for start in ([name], list(found)):
        for relative in _closure(start, children.__getitem__):
            if len(found) >= MOST:
                break
            found.update(dict.fromkeys(_closure([relative], kinship.parents)))
    return {member: tuple(p for p in kinship.parents(member) if p in found) for member in found}


def nodes(
    parents: Mapping[str, tuple[str, ...]], tracks: Iterable[Track], latents: Iterable[LatentRecord]
) -> list[Node]:
    """Parents before children, else the oldest first; what has neither track nor latent is gone."""
    made = {record.id: _of_latent(record, parents[record.id]) for record in latents if record.id in parents}
    made |= {track.id: _of_track(track, parents[track.id]) for track in tracks}
    every = {name: made.get(name) or Node(id=name, kind="gone", parent_ids=above) for name, above in parents.items()}
    waits = {name: len(above) for name, above in parents.items()}
    children = defaultdict(list)
    for name, above in parents.items():
        for parent in above:
            children[parent].append(name)
    ready = [(every[name].created_at or "", name) for name, count in waits.items() if not count]
    heapq.heapify(ready)
    ordered = []
    while ready:
        _, name = heapq.heappop(ready)
        ordered.append(every[name])
        for child in children[name]:
            waits[child] -= 1
            if not waits[child]:
                heapq.heappush(ready, (every[child].created_at or "", child))
    return ordered


def _closure(start: Iterable[str], further: Callable[[str], Iterable[str]]) -> list[str]:
    seen, left = dict.fromkeys(start), list(start)
    while left and len(seen) < MOST:
        for name in further(left.pop(0)):
            if name not in seen:
                seen[name] = None
                left.append(name)
    return list(seen)


def _of_track(track: Track, parent_ids: tuple[str, ...]) -> Node:
    params = track.params
    return Node(
        id=track.id, kind="track", parent_ids=parent_ids, stage_type=params.stage_type, prompt=track.prompt,
        backend=track.backend, model=params.model, seed=track.seed, duration_sec=track.duration_sec,
        created_at=track.created_at, latent_id=track.latent_id or None, favorite=track.favorite,
    )  # fmt: skip


def _of_latent(record: LatentRecord, parent_ids: tuple[str, ...]) -> Node:
    params = record.params
    return Node(
        id=record.id, kind="latent", parent_ids=parent_ids, stage_type=params.stage_type, prompt=params.prompt,
        backend=params.backend, model=params.model, seed=params.seed, duration_sec=params.duration_sec,
        created_at=record.created_at, latent_id=record.id,
    )  # fmt: skip
