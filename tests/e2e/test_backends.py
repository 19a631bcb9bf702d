"""`:LofiBackends`: what can make music, and the downloads of its weights, on screen text."""

from __future__ import annotations

import itertools

import pytest
from support.editor import PUPPET, assert_calm
from support.fake_hub import FakeHub, musicgen_files
from support.neovim import ROOT

NC = {"license": "CC-BY-NC-4.0", "license_url": "https://licences.example/by-nc"}
FREE = {"license": "MIT", "license_url": "https://licences.example/mit"}


def weights(model: str, **more: object) -> dict[str, object]:
    return {
        "model": model, "repo": f"org/{model}", "bytes": 2_400_000_000, "status": "absent", "bytes_here": 0,
        "default": False, **more,
    }  # fmt: skip


def backend(name: str, **more: object) -> dict[str, object]:
    return {
        "type": name, "name": name.title(), "status": "not_installed", "min_duration_sec": 5, "max_duration_sec": 120,
        "sample_rate": 32000, "model_version": "1", "stage_types": ["generate"], "models": [], "packages": True,
        "weights": [], **more,
    }  # fmt: skip


BACKENDS = {
    "backends": [
        backend("synth", status="ready", device="cpu"),
        backend(
            "musicgen", extra="musicgen", packages=False, message="It is not here yet.",
            weights=[weights("small", default=True, **NC), weights("large", status="partial", bytes_here=10**9, **NC)],
        ),
        backend(
            "ace", extra="acestep",
            weights=[
                weights("turbo", status="ready", path="/models/turbo", commit="abc", default=True, **FREE),
                weights("base", **FREE),
            ],
        ),
    ],
    "default_backend": "synth",
}  # fmt: skip
STATUS = {
    "playback": {"state": "stopped", "volume": 1},
    "queue": {"pending": []},
    "engine": {"device": "cpu", "loaded": ["ace"]},
}


def progress(percent: int, **more: object) -> dict[str, object]:
    return {
        "notify": [
            "download_progress",
            {"backend": "musicgen", "model": "small", "component": "weights", "overall_percent": percent,
             "bytes_downloaded": percent, "bytes_total": 100, "bytes_per_sec": 12_300_000, "eta_sec": 62, **more},
        ]
    }  # fmt: skip


def status(weights: str, message: str | None = None, **more: object) -> dict[str, object]:
    told = {"backend": "musicgen", "model": "small", "status": "not_installed", "weights": weights, **more}
    return {"notify": ["backend_status", {**told, "message": message} if message else told]}


BEGUN = {
    "reply": {"started": True, "already_installed": False, "backend": "musicgen", "model": "small", "bytes_total": 100}
}
DOWNLOADING = status("downloading", status="downloading")


@pytest.fixture
def open_backends(open_editor, fake):
    """An editor with the window open, and its daemon: ``open_backends(method=[actions])``."""

    def open_(**script):
        daemon = fake(
            **{"get_backends": [{"reply": BACKENDS}], "status": [{"reply": STATUS}], **script},
        )
        editor = open_editor(daemon.command, columns=100)
        editor.lua("vim.ui.select = function() _G.asked = true end")
        editor.command("LofiBackends")
        editor.wait_for_text("in memory")
        return editor, daemon

    return open_


def agree(editor) -> None:
    """Whoever asks for a choice gets the first."""
    editor.lua("vim.ui.select = function(items, opts, choose) _G.prompt = opts.prompt; choose(items[1], 1) end")


def put_cursor(editor, text: str) -> None:
    assert editor.lua("return vim.fn.search(..., 'w')", text), editor.text()


def line_with(editor, text: str) -> str:
    return next((line for line in editor.text().splitlines() if text in line), "")


def line_below(editor, text: str) -> str:
    lines = editor.text().splitlines()
    return next((below for line, below in itertools.pairwise(lines) if text in line), "")


def test_the_window_shows_status_size_licence_and_where_it_is(open_backends):
    editor, _ = open_backends()
    shown = editor.text()
    assert editor.lua("return vim.bo.filetype") == "lofi-backends"
    assert "ready          Synth" in line_with(editor, "Synth")
    assert "answers when none is named" in line_below(editor, "Synth")
    assert "not installed  Musicgen" in shown
    assert "It is not here yet." in shown
    assert "I installs them (:LofiInstall musicgen)" in shown
    assert "2.4 GB  CC-BY-NC-4.0" in line_with(editor, "small")
    assert "1.0 GB of 2.4 GB here" in line_with(editor, "large")
    assert "MIT           ready  /models/turbo" in line_with(editor, "turbo")
    assert "in memory" in line_below(editor, "Ace")
    editor.type("q")
    editor.wait("vim.fn.bufexists('lofi://backends') == 0")
    assert_calm(editor)


def test_details_say_where_it_is_from_and_its_licence(open_backends):
    editor, _ = open_backends()
    put_cursor(editor, "turbo")
    editor.type("<CR>")
    editor.wait_for_text("from: huggingface.co/org/turbo")
    assert "commit: abc" in editor.text()
    assert "licence: MIT, https://licences.example/mit" in editor.text()
    editor.type("<CR>")
    editor.wait(lambda: "commit: abc" not in editor.text())


def test_a_download_is_seen_live_in_the_window_and_in_the_last_line(open_backends):
    editor, daemon = open_backends(download_backend=[BEGUN, DOWNLOADING, progress(41)])
    agree(editor)
    put_cursor(editor, "small")
    editor.type("d")
    editor.wait_for_text("41 %  12.3 MB/s, 1:02 left")
    assert "2.4 GB" in line_with(editor, "12.3 MB/s, 1:02 left")
    assert daemon.heard("download_backend") == [{"backend": "musicgen", "model": "small"}]
    assert "musicgen small" in editor.last_line()
    assert "41%" in editor.last_line()
    assert_calm(editor)


def test_a_licence_against_commercial_use_is_agreed_to_first(open_backends):
    editor, daemon = open_backends(download_backend=[BEGUN])
    editor.lua("vim.ui.select = function(items, opts, choose) _G.shown = { opts.prompt, items }; choose(nil) end")
    put_cursor(editor, "small")
    editor.type("d")
    assert editor.wait("_G.shown") == [
        "Musicgen small is licensed CC-BY-NC-4.0: not for commercial use.", ["Download 2.4 GB", "Not now"],
    ]  # fmt: skip
    put_cursor(editor, "base")  # what is free is not asked about
    editor.type("d")
    editor.wait(lambda: daemon.heard("download_backend"))
    assert daemon.heard("download_backend") == [{"backend": "ace", "model": "base"}]


def test_a_download_that_was_begun_goes_on_without_a_question(open_backends):
    editor, daemon = open_backends(download_backend=[BEGUN])
    put_cursor(editor, "large")
    editor.type("d")
    editor.wait(lambda: daemon.heard("download_backend"))
    assert editor.lua("return _G.asked == nil") is True


def test_cancelling_says_that_what_is_here_is_kept(open_backends):
    said = "Cancelled at 41 %; the next download goes on from there."
    editor, daemon = open_backends(
        download_backend=[BEGUN, DOWNLOADING, progress(41)],
        cancel_download=[{"reply": {"cancelled": True}}, status("partial", said)],
    )
    agree(editor)
    put_cursor(editor, "small")
    editor.type("d")
    editor.wait_for_text("41 %")
    editor.type("x")
    editor.wait_for_text("Cancelled at 41 %")
    assert daemon.heard("cancel_download") == [{"backend": "musicgen"}]
    editor.wait(lambda: "12.3 MB/s" not in editor.text())
    assert_calm(editor)


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (status("ready", "It is here."), {"backend": "musicgen", "model": "small", "already_installed": False}),
        (status("error", "The hub cannot be reached.", status="error"),
         {"code": "MODEL_DOWNLOAD_FAILED", "message": "The hub cannot be reached."}),
        (status("partial", "Cancelled at 41 %."), {"code": "DOWNLOAD_CANCELLED", "message": "Cancelled at 41 %."}),
    ],
)  # fmt: skip
def test_the_callback_of_a_download_hears_its_end(open_editor, fake, end, expected):
    daemon = fake(download_backend=[BEGUN, DOWNLOADING, progress(41), end])
    editor = open_editor(daemon.command)
    editor.lua("""
      _G.ends, _G.percents = {}, {}
      require('lofi').on('download_progress', function(told) table.insert(_G.percents, told.overall_percent) end)
      require('lofi').download('musicgen', 'small', function(err, result) table.insert(_G.ends, err or result) end)
    """)
    assert editor.wait("#_G.ends > 0 and _G.ends") == [expected]
    assert editor.lua("return _G.percents") == [41]
    assert editor.lua("return require('lofi').status().downloads") == []


def test_a_daemon_that_dies_ends_the_download_with_an_error(open_editor, fake):
    daemon = fake(download_backend=[BEGUN, progress(41), {"sleep": 0.05}, {"exit": 1}])
    editor = open_editor(daemon.command)
    editor.lua("require('lofi').download('musicgen', nil, function(err) _G.code = err.code end)")
    assert editor.wait("_G.code") == "DAEMON_EXITED"
    assert_calm(editor)


def test_downloads_without_the_window(open_editor, fake):
    here = {**BEGUN["reply"], "started": False, "already_installed": True}
    daemon = fake(
        get_backends=[{"reply": BACKENDS}],
        download_backend=[{"reply": here}],
        cancel_download=[{"reply": {"cancelled": False}}],
    )
    editor = open_editor(daemon.command)
    agree(editor)
    editor.command("LofiBackends download musicgen")
    editor.wait_for_text("musicgen small is here already.")
    assert "not for commercial use" in editor.lua("return _G.prompt")
    editor.command("LofiBackends cancel musicgen")
    editor.wait_for_text("nothing of musicgen is being downloaded.")
    editor.command("LofiBackends fetch")
    editor.wait_for_text(":LofiBackends takes nothing, download {backend} [{model}], or cancel")

    def complete(line):
        return editor.lua("return vim.fn.getcompletion(..., 'cmdline')", line)

    assert complete("LofiBackends ") == ["cancel", "download"]
    assert complete("LofiBackends download m") == ["musicgen"]
    assert complete("Lofi backends download musicgen ") == ["small", "large"]
    assert complete("LofiBackends cancel ") == ["musicgen", "ace"]
    assert_calm(editor)


def test_the_other_keys_install_unload_yank_and_open(open_backends):
    editor, daemon = open_backends(unload_backend=[{"reply": {"unloaded": ["ace"]}}])
    editor.lua("""
      require('lofi.install').run = function(what) _G.installed = what end
      vim.ui.open = function(url) _G.opened = url end
    """)
    put_cursor(editor, "turbo")
    editor.type("yo")
    assert editor.wait("_G.opened") == FREE["license_url"]
    assert editor.lua("return vim.fn.getreg('\"')") == "/models/turbo"
    editor.type("u")
    editor.wait_for_text("Ace has left memory.")
    assert daemon.heard("unload_backend") == [{"backend": "ace"}]
    put_cursor(editor, "Musicgen")
    editor.type("I")
    assert editor.wait("_G.installed") == "musicgen"


def test_keys_say_why_they_do_nothing_here(open_backends):
    editor, _ = open_backends(cancel_download=[{"reply": {"cancelled": False}}])
    put_cursor(editor, "turbo")
    for key, said in {
        "d": "ace turbo is here already.",
        "x": "nothing of Ace is being downloaded.",
        "I": "what Ace needs is installed",
    }.items():
        editor.type(key)
        editor.wait_for_text(said)
    put_cursor(editor, "Synth")
    for key, said in {
        "d": "Synth needs no weights.",
        "I": "Synth needs nothing that is not installed.",
        "y": "synth is not here.",
        "o": "Synth has no weights, and so no licence of theirs.",
    }.items():
        editor.type(key)
        editor.wait_for_text(said)
    assert_calm(editor)


def test_every_key_of_the_window_is_in_its_list_and_in_the_help(open_backends):
    editor, _ = open_backends()
    keys = {key["lhs"] for key in editor.request("nvim_buf_get_keymap", 0, "n")}
    section = (ROOT / "doc/lofi.txt").read_text().partition("*lofi-backends*")[2].partition("=" * 78)[0]
    documented = {word for line in section.splitlines() for word in line.split("  ")[0:2]}
    assert keys == {"d", "x", "I", "u", "<CR>", "y", "o", "q", "<Esc>", "g?"}
    assert keys <= documented
    editor.type("g?")
    editor.wait_for_text("download the model, or go on with it")
    shown = editor.text()
    assert [key for key in keys - {"g?"} if f" {key} " not in shown] == []


def test_a_download_of_another_editor_is_seen_here_too(open_backends):
    editor, _ = open_backends(volume_set=[{"reply": {"level": 1}}, DOWNLOADING, progress(7)])
    editor.lua("require('lofi').volume(1)")  # whatever the daemon says next comes unasked
    editor.wait_for_text("7 %  12.3 MB/s")
    assert "musicgen small" not in editor.last_line()


def test_without_a_daemon_the_window_says_so(open_editor, tmp_path):
    editor = open_editor(environment={"PATH": "/usr/bin:/bin"})
    editor.lua("require('lofi.locate').root = ...", str(tmp_path))
    editor.command("LofiBackends")
    editor.wait_for_text("lofi-daemon is not installed; run")
    editor.type("ggd")  # on a sentence, there is nothing to download
    editor.wait_for_text("put the cursor on a backend")
    assert_calm(editor)


def test_a_small_screen_and_ascii_are_enough(open_editor, fake):
    daemon = fake(
        get_backends=[{"reply": BACKENDS}],
        status=[{"reply": STATUS}],
        volume_set=[{"reply": {"level": 1}}, DOWNLOADING, progress(50)],
    )
    editor = open_editor(daemon.command, columns=40, ascii=True)
    editor.command("LofiBackends")
    editor.wait_for_text("not installed")
    editor.lua("require('lofi').volume(1)")
    editor.wait_for_text("50 %  12.3 MB/s, 1:02")
    assert editor.text().isascii()
    assert_calm(editor)


BIG = "model.safetensors"


@pytest.fixture
def hub(monkeypatch):
    with FakeHub({"facebook/musicgen-small": musicgen_files(3_000_000)}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def test_with_the_real_daemon_a_download_is_cancelled_and_goes_on_at_the_same_byte(hub, open_editor):
    hub.tricks[BIG] = ["slow 1500000", "ok"]
    editor = open_editor(PUPPET, columns=100)
    agree(editor)
    editor.command("LofiBackends")
    editor.wait_for_text("2.4 GB")
    put_cursor(editor, "small")
    editor.type("d")
    editor.wait_for_text("MB/s")
    editor.wait(hub.stalled.is_set)
    editor.type("x")
    editor.wait_for_text("Cancelled at ")
    editor.wait_for_text("3 MB here")
    editor.type("d")
    editor.wait(lambda: "ready" in line_with(editor, "small"))
    assert "facebook--musicgen-small" in line_with(editor, "small")
    assert "MusicGen small is here." in editor.text()
    first, second = hub.ranges(BIG)
    assert first is None
    assert second is not None
    assert int(second.removeprefix("bytes=").rstrip("-")) > 0
    assert_calm(editor)


def test_with_the_real_daemon_being_offline_is_a_sentence(open_editor, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    editor = open_editor(PUPPET, columns=100)
    agree(editor)
    editor.command("LofiBackends download musicgen small")
    editor.wait_for_text("cannot be reached")
    editor.command("LofiBackends")
    editor.wait(lambda: "failed" in line_with(editor, "small"))
    assert_calm(editor)


def test_with_the_real_daemon_a_model_that_is_not_there_is_named(open_editor):
    editor = open_editor(PUPPET, columns=100)
    editor.command("LofiBackends download musicgen huge")
    editor.wait_for_text("small")
    assert "huge" in editor.last_line()
    assert_calm(editor)
