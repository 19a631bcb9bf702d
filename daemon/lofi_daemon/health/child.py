"""Programs that are asked something. They may hang or crash, as what is being examined may be broken."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What it printed, and on stderr. ``problem`` is empty where it succeeded, else half a sentence: the last thing it
    complained of, or what became of it."""

    out: str
    problem: str = ""
    complaints: str = ""
    is_late: bool = False


Run = Callable[[Sequence[str], float, Mapping[str, str] | None], Answer]


def run(words: Sequence[str], within_sec: float, environ: Mapping[str, str] | None = None) -> Answer:
    """Blocks, at most ``within_sec`` seconds; then the program is killed."""
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=within_sec,
            env=None if environ is None else dict(environ), check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Answer("", f"it took more than {within_sec:.0f} s", is_late=True)
    except OSError as error:
        return Answer("", f"{words[0]} could not be run ({error.strerror})")
    if done.returncode == 0:
        return Answer(done.stdout, "", done.stderr)
    said = (done.stderr.strip() or done.stdout.strip()).splitlines()
    ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
    return Answer(done.stdout, said[-1].strip() if said else f"it crashed ({ended})", done.stderr)
