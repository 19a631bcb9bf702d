"""Which tracks leave when the library is over its size."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .index import Entry


def to_evict(unused_first: Iterable[Entry], total: int, limit: int, protect: Collection[str]) -> list[Entry]:
    """The entries to remove, in their order, until ``total`` bytes come down to ``limit``; never one of ``protect``.

    May not reach the limit: what the caller did not offer (favourites) or protects stays.
    """
    leaving = []
    for entry in unused_first:
        if total <= limit:
            break
        if entry.id not in protect:
            leaving.append(entry)
            total -= entry.bytes
    return leaving
