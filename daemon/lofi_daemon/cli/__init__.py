"""`lofi`: the daemon's requests from a shell."""

from .entry import main

__all__ = ["main"]
