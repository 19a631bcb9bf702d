"""Python, and the libraries without which nothing is composed."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from .. import __version__
from .child import Run, run
from .commands import Installation, shown
from .finding import WAITS_LONGER, Finding

LIBRARIES = ("msgspec", "platformdirs", "numpy", "scipy.signal", "soundfile", "soxr")

_TRY = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}".splitlines()[0])
"""

_find = partial(Finding, "Python")


def look(installation: Installation, within_sec: float, ask: Run = run) -> Iterator[Finding]:
    yield _find("ok", f"Python {platform.python_version()} at {shown(Path(sys.executable))}")
    source = f", from {shown(installation.root)}" if installation.root else ""
    yield _find("ok", f"lofi {__version__}{source}")
    # In a child, because a broken native library may take its process along.
    answer = ask((sys.executable, "-P", "-c", _TRY, *LIBRARIES), within_sec, None)
    if answer.is_late:
        text = f"The libraries that are needed to compose did not load within {within_sec:.0f} s"
        yield _find("warn", text, (WAITS_LONGER,))
        return
    broken = answer.out.strip().splitlines()
    if answer.problem:
        broken.append(answer.problem)
    if broken:
        yield _find(
            "error",
            f"Libraries that are needed to compose do not load: {'; '.join(broken)}",
            (f"Install them again: {installation.again()}",),
        )
    else:
        yield _find("ok", f"{', '.join(name.partition('.')[0] for name in LIBRARIES)} load")
