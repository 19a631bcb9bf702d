"""Pictures of the real windows in a real Neovim, for the README: `make screenshots` writes doc/screenshots/.

Everything in them is real: tracks that the composer makes here and now, a daemon of its own, a sound card made of a
pipe. The home folder is made up, so that no path of this machine is seen.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import soundfile
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.neovim import Neovim  # noqa: E402
from support.raw_daemon import REAL, RawDaemon  # noqa: E402
from support.sound_card import SoundCards  # noqa: E402

from lofi_daemon.audio.files import write_track  # noqa: E402
from lofi_daemon.library.tracks import Tracks  # noqa: E402
from lofi_daemon.model import Track  # noqa: E402

FOLDER = ROOT / "doc" / "screenshots"
FONT_SIZE = 26  # twice what it is shown at
MAX_BYTES = 120_000
COLORS = 64

# Prompt, seconds, hours ago.
TRACKS = (
    ("rainy night, mellow rhodes, 75 bpm", 120, 0.1),
    ("jazzy cafe morning, upright bass and brushes", 90, 0.4),
    ("90s boom bap, dusty vinyl, head nod", 90, 2),
    ("sad piano ballad in D minor", 60, 3.5),
    ("lofi house, upbeat, 118 bpm", 75, 20),
    ("ambient space drift, no drums", 150, 26),
    ("guitar on the beach, ocean waves", 60, 30),
    ("snow, felt piano and strings, storm outside", 90, 75),
    ("late train home, muted trumpet, 68 bpm", 60, 120),
    ("study session, warm pads and soft kick", 90, 190),
    ("sunday chillhop, vibraphone, birds", 60, 400),
)
FAVORITES = (0, 3, 7)

CODE = "lua/lofi/seek.lua"
LOOKS = """
  vim.o.termguicolors, vim.o.background, vim.o.number, vim.o.signcolumn = true, 'dark', true, 'no'
  vim.o.laststatus, vim.o.ruler, vim.o.showcmd, vim.o.cmdheight, vim.o.wrap = 2, false, false, 1, false
  vim.o.statusline = " %f %m%=%{v:lua.require'lofi'.statusline()} │ %l:%c "
"""


@dataclass(frozen=True)
class Stage:
    """A home of its own, in which the plugin lies where lazy.nvim puts it."""

    home: Path
    env: dict[str, str]

    @property
    def plugin(self) -> Path:
        return self.home / ".local/share/nvim/lazy/lofi.nvim"

    @contextlib.contextmanager
    def editor(self, columns: int, rows: int, **setup: object) -> Iterator[Neovim]:
        """With a file of the plugin open, and a daemon of its own."""
        daemon = [str(self.plugin / ".venv/bin/python"), "-m", "lofi_daemon"]
        options = {"daemon": {"cmd": daemon, "shared": False}, "auto_play": False, **setup}
        runtime = f"let &runtimepath = '{self.plugin},' .. &runtimepath"
        with Neovim(
            "--clean", "-n", "--cmd", runtime, str(self.plugin / CODE),
            columns=columns, rows=rows, environment=self.env,
        ) as editor:  # fmt: skip
            editor.lua(LOOKS)
            editor.command(f"cd {self.plugin}")
            editor.lua("require('lofi').setup(...)", options)
            yield editor


def main() -> None:
    home = Path(tempfile.mkdtemp(prefix="lofi-"))
    cards = SoundCards(home, "Speakers", speed=1.0)
    try:
        stage = furnish(home, cards)
        FOLDER.mkdir(parents=True, exist_ok=True)
        wanted = sys.argv[1:]
        for scene in SCENES:
            if not wanted or scene.__name__ in wanted:
                scene(stage)
    finally:
        cards.close()
        shutil.rmtree(home, ignore_errors=True)


def furnish(home: Path, cards: SoundCards) -> Stage:
    """The plugin in its place, and a library with tracks of some weeks."""
    folders = {"XDG_CACHE_HOME": ".cache", "XDG_CONFIG_HOME": ".config", "XDG_DATA_HOME": ".local/share",
               "XDG_STATE_HOME": ".local/state", "XDG_RUNTIME_DIR": ".run"}  # fmt: skip
    env = {"HOME": str(home), **{name: str(home / folder) for name, folder in folders.items()}, **cards.env}
    stage = Stage(home, env | {"PYTHONPATH": str(home / ".local/share/nvim/lazy/lofi.nvim/daemon")})
    stage.plugin.parent.mkdir(parents=True)
    (home / ".run").mkdir(mode=0o700)
    stage.plugin.symlink_to(ROOT)
    cache = home / ".cache" / "lofi.nvim"
    made = home / "made"
    with RawDaemon(made, REAL, env=env | {"LOFI_DAEMON_SHARED": "false"}) as daemon:
        tracks = []
        for seed, (prompt, seconds, _) in enumerate(TRACKS):
            job = daemon.result("generate", {"prompt": prompt, "duration_sec": seconds, "seed": seed})["job_id"]
            end = daemon.end_of(job)["params"]
            tracks.append(msgspec.convert(daemon.result("cache_get", {"track_id": end["track_id"]}), Track))
            print(f"composed “{prompt}”")
    keep(cache, tracks)
    shutil.rmtree(made)
    return stage


def keep(cache: Path, tracks: list[Track]) -> None:
    """Into the library, as if they had been made over some weeks."""
    library, now = Tracks(cache), datetime.now(UTC)
    for number in reversed(range(len(tracks))):
        made = now - timedelta(hours=TRACKS[number][2])
        track = msgspec.structs.replace(tracks[number], path="", created_at=f"{made:%Y-%m-%dT%H:%M:%S}.000Z")
        audio, rate = soundfile.read(tracks[number].path, dtype="float32", always_2d=True)
        staged = library.staging() / f"{track.id}.flac"
        write_track(staged, audio, rate, track, "flac")
        library.commit(track, staged)
        if number in FAVORITES:
            library.set_favorite(track.id, True)
    library.close()


def save(editor: Neovim, name: str, *, cursor: bool = False) -> None:
    path = FOLDER / f"{name}.png"
    editor.command("redraw")
    time.sleep(0.2)
    editor.png(path, FONT_SIZE, cursor=cursor)
    image = Image.open(path).convert("P", palette=Image.Palette.ADAPTIVE, colors=COLORS)
    image.save(path, optimize=True)
    size = path.stat().st_size
    assert size < MAX_BYTES, f"{path} has {size} bytes"
    print(f"{os.path.relpath(path)}  {size / 1000:.0f} kB")


def play(editor: Neovim, number: int, at_sec: float) -> None:
    editor.lua("require('lofi.request')")
    editor.lua(
        """
        local number, at = ...
        local lofi = require('lofi')
        lofi.request('cache_list', { limit = 20 }, function(_, page)
          lofi.play(page.tracks[number].id, function()
            lofi.playlist.add({ page.tracks[2].id, page.tracks[3].id, page.tracks[4].id }, function()
              lofi.seek(at, function() _G.playing = true end)
            end)
          end)
        end)
        """,
        number, at_sec,
    )  # fmt: skip
    editor.wait("_G.playing", timeout=60)


def library(stage: Stage) -> None:
    with stage.editor(92, 27) as editor:
        play(editor, 1, 47)
        editor.command("LofiLibrary")
        editor.wait_for_text("dusty vinyl")
        editor.type("jj")
        time.sleep(1.0)
        save(editor, "library")


def track(stage: Stage) -> None:
    with stage.editor(92, 24) as editor:
        editor.command("LofiLibrary")
        editor.wait_for_text("dusty vinyl")
        editor.type("jji")
        editor.wait_for_text("▄")
        time.sleep(0.5)
        save(editor, "track")


def player(stage: Stage) -> None:
    with stage.editor(92, 26) as editor:
        play(editor, 1, 71)
        editor.command("LofiPlayer")
        editor.wait_for_text("rainy night")
        time.sleep(1.0)
        save(editor, "player")


def queue(stage: Stage) -> None:
    with stage.editor(92, 20) as editor:
        editor.lua("""
          for _, prompt in ipairs({ 'rain on a tin roof, rhodes, 72 bpm', 'city lights, muted trumpet',
              'morning coffee, nylon guitar', 'deep focus, pads, no drums' }) do
            require('lofi').generate({ prompt = prompt, duration_sec = 600 })
          end
        """)
        editor.command("LofiQueue")
        percent = "(require('lofi.state').running() or { percent = 0 }).percent"
        editor.wait(f"{percent} >= 35", timeout=120)
        save(editor, "queue")
        editor.lua("require('lofi').request('queue_clear')")


def progress(stage: Stage) -> None:
    with stage.editor(92, 14) as editor:
        editor.lua("require('lofi').generate({ prompt = 'rainy night, mellow rhodes, 80 bpm', duration_sec = 600 })")
        percent = "(require('lofi.state').running() or { percent = 0 }).percent"
        editor.wait(f"{percent} >= 40", timeout=120)
        save(editor, "progress")


def statusline(stage: Stage) -> None:
    with stage.editor(92, 7) as editor:
        play(editor, 1, 83)
        time.sleep(1.2)
        save(editor, "statusline")


def backends(stage: Stage) -> None:
    with stage.editor(104, 34) as editor:
        editor.command("LofiBackends")
        editor.wait_for_text("musicgen")
        time.sleep(1.0)
        save(editor, "backends")


def health(stage: Stage) -> None:
    with stage.editor(92, 42) as editor:
        editor.command("checkhealth lofi")
        editor.wait_for_text("Sound", timeout=60)
        time.sleep(0.5)
        save(editor, "health")


SCENES: tuple[Callable[[Stage], None], ...] = (library, track, player, queue, progress, statusline, backends, health)

if __name__ == "__main__":
    main()
