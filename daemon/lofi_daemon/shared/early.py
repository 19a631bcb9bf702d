"""The two settings that decide which daemon an editor speaks to, read without the libraries that the others need.

Every editor and every `lofi` waits for this; config.py, which reads them all, takes several times as long to load.
The rules are those of config.load, which tests hold this to.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

_WORDS = {"true": True, "1": True, "false": False, "0": False}


class Early:
    """``shared`` is daemon.shared; ``library`` names the folder of tracks, the same text for the same folder."""

    __slots__ = ("library", "shared")

    def __init__(self, shared: bool, library: str) -> None:
        self.shared = shared
        self.library = library


def read(
    setup: Sequence[str] = (), environ: Mapping[str, str] = os.environ, file: str | os.PathLike[str] | None = None
) -> Early:
    """From --set texts, the environment and config.toml, in this order; what does not fit is passed over."""
    given = _pairs(setup)
    from_file = _read_file(config_file(environ) if file is None else file)
    shared: object = None
    for raw in (given.get("daemon.shared"), environ.get("LOFI_DAEMON_SHARED"), from_file.get("daemon.shared")):
        if shared is None:
            shared = _WORDS.get(raw.lower()) if isinstance(raw, str) else raw if isinstance(raw, bool) else None
    folder: object = given.get("cache.dir")
    if folder is None:
        folder = environ.get("LOFI_CACHE_PATH") or from_file.get("cache.dir")
    if isinstance(folder, str) and folder:
        library = os.path.abspath(os.path.expanduser(folder))
    else:  # the platform's own folder, which follows from these
        library = f"default {environ.get('HOME', '')} {environ.get('XDG_CACHE_HOME', '')}"
    return Early(shared is not False, library)


def config_file(environ: Mapping[str, str] = os.environ) -> str:
    """As config.config_file."""
    if sys.platform != "linux":
        import platformdirs

        return os.path.join(platformdirs.user_config_dir("lofi.nvim", appauthor=False), "config.toml")
    home = environ.get("XDG_CONFIG_HOME", "").strip() or os.path.expanduser("~/.config")
    return os.path.join(home, "lofi.nvim", "config.toml")


def _pairs(setup: Sequence[str]) -> dict[str, str]:
    split = (text.partition("=") for text in setup)
    return {key.strip(): raw.strip() for key, _, raw in split}


def _read_file(file: str | os.PathLike[str]) -> dict[str, object]:
    try:
        with open(file, "rb") as source:
            data = source.read()
    except OSError:
        return {}
    import tomllib

    try:
        document = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        return {}
    flat: dict[str, object] = {}
    for key, value in document.items():
        flat |= {f"{key}.{inner}": v for inner, v in value.items()} if isinstance(value, dict) else {key: value}
    return flat
