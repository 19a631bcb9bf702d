"""Who asks, about what: all that an examination is given."""

from __future__ import annotations

from msgspec import Struct

from ..config import Loaded


class Circumstances(Struct, frozen=True):
    """``setup`` are the --set texts of a shell; ``playing_through`` and ``own_pid`` are those of the daemon that asks
    about itself."""

    loaded: Loaded
    within_sec: float
    setup: tuple[str, ...] = ()
    playing_through: str | None = None
    own_pid: int | None = None

    @property
    def child_sec(self) -> float:
        """For a program that is asked: it shall be late before its section is, which would say less."""
        return 0.9 * self.within_sec
