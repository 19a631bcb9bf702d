"""Progress where the user has such things shown: stand-ins of the plugins' documented interfaces, in fakes/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.editor import E2E, PUPPET, FakeDaemon, assert_calm, wait_for_event
from support.neovim import ROOT, Neovim

ID = "ab" * 32
SETUP = {
    "fidget": "require('fidget').setup()",
    "snacks": "require('snacks').setup({ notifier = { enabled = true } })",
    "mini": "require('mini.notify').setup()",
    "notify": "vim.notify = require('notify')",
    "noice": "require('noice.source.notify').enable()",
    "native": "require('native').setup()",
}
FOLDERS = {"noice": ("noice", "notify")}
SINKS = list(SETUP)


def sink_of(plugin: str) -> str:
    return "notify" if plugin == "noice" else plugin


def runtimepath(*plugins: str) -> str:
    names = ["common", *(folder for plugin in plugins for folder in FOLDERS.get(plugin, (plugin,)))]
    return ",".join(str(E2E / "fakes" / name) for name in names)


def add_plugins(editor: Neovim, *plugins: str, set_up: bool = True) -> None:
    editor.command(f"let &runtimepath = '{runtimepath(*plugins)},' .. &runtimepath")
    for plugin in plugins if set_up else ():
        editor.lua(SETUP[plugin])


def task(editor: Neovim, title: str = "sad piano", **more: Any) -> None:
    editor.lua("_G.task = require('lofi.progress').task(...)", {"title": title, **more})


def drawn(editor: Neovim) -> list[dict[str, Any]]:
    return list(editor.lua("return _G.drawn or {}"))


def sink(editor: Neovim) -> str:
    return str(editor.lua("return require('lofi.progress').sink()"))


# What each of them shows of four jobs that end differently: one run for each plugin, several tests.


def job(name: str, percent: int, **more: Any) -> dict[str, Any]:
    return {"job_id": f"j-{name}", "track_id": ID, "prompt": name, "duration_sec": 30, "percent": percent, **more}


def grows(name: str) -> list[dict[str, Any]]:
    """The daemon's words for a job, one of which goes back."""
    told = [["generation_started", job(name, 0)]]
    told += [["generation_progress", job(name, percent, eta_sec=3.0)] for percent in (10, 40, 25, 60)]
    return [{"notify": one} for one in told]


SCRIPT: dict[str, Any] = {
    # the daemon joins each request to a job of that name
    "generate": [{"reply": {"job_id": "j-$prompt", "track_id": ID, "status": "generating"}}],
    "play": [*grows("done"), {"notify": ["generation_complete", job("done", 0, generation_time_sec=3.1)]},
             {"reply": {"state": "stopped"}}],
    "pause": [*grows("failed"),
              {"notify": ["generation_error", job("failed", 0, code="X", message="It broke; try another.")]},
              {"reply": {"state": "stopped"}}],
    "resume": [*grows("cancelled"), {"notify": ["generation_cancelled", job("cancelled", 0)]},
               {"reply": {"state": "stopped"}}],
    "stop": [*grows("orphan"), {"sleep": 0.1}, {"exit": 3}],
}  # fmt: skip
NAMES = ("done", "failed", "cancelled", "orphan")


class Shown:
    """Everything that was drawn, by job."""

    def __init__(self, plugin: str, editor: Neovim) -> None:
        self.plugin = plugin
        self.drawn = [one | {"text": " ".join(one["text"].split())} for one in drawn(editor)]
        self.messages = editor.messages()
        self.last_lines = editor.seen
        self.calm = not editor.blocked() and editor.mode() == "n"

    def of(self, name: str) -> list[dict[str, Any]]:
        entries = {one["entry"] for one in self.drawn if name in one["title"]}
        return [one for one in self.drawn if one["entry"] in entries]


@pytest.fixture(scope="module", params=SINKS)
def shown(request: pytest.FixtureRequest, isolated_session: None, tmp_path_factory: pytest.TempPathFactory) -> Shown:
    plugin = request.param
    daemon = FakeDaemon(tmp_path_factory.mktemp(plugin), SCRIPT)
    with Neovim("--clean", "-n", "--cmd", f"let &runtimepath = '{ROOT},' .. &runtimepath") as editor:
        add_plugins(editor, plugin)
        editor.lua("require('lofi').setup(...)", {"daemon": {"cmd": daemon.command}})
        for name, method in zip(NAMES, ("play", "pause", "resume", "stop"), strict=True):
            editor.lua("_G.ended = nil")
            editor.lua("require('lofi').generate(..., function() _G.ended = true end)", name)
            editor.wait(f"require('lofi.state').is_own('j-{name}')")
            editor.lua("require('lofi').request(..., nil, function() end)", method)
            editor.wait("_G.ended")
        if plugin == "mini":  # the others are told to take an entry away when it ends
            editor.wait("#vim.iter(_G.drawn):filter(function(one) return not one.stays end):totable() == 4")
        return Shown(plugin, editor)


@pytest.mark.parametrize("name", NAMES)
def test_a_job_is_one_entry_under_its_prompt(shown, name):
    entries = {one["entry"] for one in shown.of(name)}
    assert len(entries) == 1
    assert len(shown.of(name)) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_its_percentage_never_falls(shown, name):
    told = [one["percent"] for one in shown.of(name) if "percent" in one]
    assert [percent for percent in (0, 10, 40, 60) if percent not in told] == []
    assert told == sorted(told)


@pytest.mark.parametrize("name", NAMES)
def test_its_entry_ends_once_and_may_go_away(shown, name):
    last = shown.of(name)[-1]
    assert last["over"] or shown.plugin == "mini"
    assert not last["stays"]
    assert [one for one in shown.of(name) if not one["stays"]] == [last]


def test_while_it_runs_it_says_how_long_that_takes(shown):
    assert any("0:03 left" in one["text"] for one in shown.of("done"))


def test_at_the_end_it_says_what_there_is_to_play(shown):
    assert ":LofiPlay abababababab" in shown.of("done")[-1]["text"]
    assert "0:30 in 3.1 s" in shown.of("done")[-1]["text"]


def test_why_it_failed_is_said_whole_where_it_can_be_read_later(shown):
    last = shown.of("failed")[-1]
    if shown.plugin == "fidget":
        assert last["text"] == "failed"
        assert "lofi: It broke; try another." in shown.messages
    else:
        assert "It broke; try another." in last["text"]
        assert not any("It broke" in line for line in shown.messages if shown.plugin != "native")


def test_what_was_cancelled_says_so(shown):
    assert "cancelled" in shown.of("cancelled")[-1]["text"]


def test_the_end_of_the_daemon_ends_its_entry_and_is_one_message(shown):
    assert re.search("failed|stopped before the track was finished", shown.of("orphan")[-1]["text"])
    told = [one["text"] for one in shown.drawn] + shown.messages
    assert len([text for text in set(told) if "the daemon stopped (exit code 3)" in text]) == 1


def test_it_leaves_the_last_line_and_the_user_alone(shown):
    assert shown.calm
    if shown.plugin != "native":
        assert not [line for line in shown.last_lines if "%" in line]


# Which of them is taken


@pytest.mark.parametrize("plugin", SINKS)
def test_auto_takes_what_is_set_up_and_loads_nothing(open_editor, plugin):
    editor = open_editor()
    add_plugins(editor, plugin, set_up=False)
    assert sink(editor) == "cmdline"
    loaded = editor.lua("return vim.tbl_keys(package.loaded)")
    assert [name for name in loaded if name.startswith(plugin)] == []
    editor.lua(SETUP[plugin])
    assert sink(editor) == sink_of(plugin)


def test_of_several_the_first_of_the_list_is_taken_also_when_it_comes_later(open_editor):
    editor = open_editor()
    for plugin in reversed(SINKS):
        add_plugins(editor, plugin)
        assert sink(editor) == sink_of(plugin)


def test_snacks_without_its_notifier_is_passed_over(open_editor):
    editor = open_editor()
    add_plugins(editor, "snacks", set_up=False)
    editor.lua("require('snacks').setup({ notifier = { enabled = false } })")
    assert sink(editor) == "cmdline"


@pytest.mark.parametrize(
    ("name", "needs"),
    [("fidget", "fidget.nvim"), ("snacks", "snacks.nvim"), ("mini", "mini.notify"), ("notify", "nvim-notify"),
     ("native", "Neovim 0.12")],
)  # fmt: skip
def test_one_that_is_asked_for_and_missing_is_said_once(open_editor, name, needs):
    editor = open_editor(progress=name)
    assert sink(editor) == "cmdline"
    assert editor.messages() == []
    for _ in range(2):
        task(editor, percent=40)
    lines = editor.wait(editor.messages)
    assert lines == [f"lofi: progress = “{name}” needs {needs}; until it is there progress is shown in the last line."]
    assert_calm(editor)


def test_one_that_is_asked_for_is_taken_before_others(open_editor):
    editor = open_editor(progress="mini")
    add_plugins(editor, "snacks", "mini")
    assert sink(editor) == "mini"


def test_one_that_fails_is_logged_once_and_the_last_line_takes_over(open_editor):
    editor = open_editor()
    add_plugins(editor, "snacks")
    for percent in (10, 20):
        task(editor, percent=percent)
        editor.lua("require('snacks').broken = true")
        editor.lua("_G.task:report({ percent = 30 })")
        editor.wait_for_text("lofi 30%")
        editor.lua("require('snacks').broken = false")
        editor.lua("_G.task:finish('it is there.', 'success')")
        editor.wait_for_text("lofi: it is there.")
    ends = [one for one in drawn(editor) if one["over"]]
    assert [one["text"] for one in ends] == ["it is there."] * 2  # what it showed does not stay for ever
    log = Path(editor.lua("return require('lofi.log').path()")).read_text()
    assert log.count("snacks is broken") == 1
    assert not any("broken" in line for line in editor.messages())
    assert_calm(editor)


@pytest.mark.parametrize("plugin", ["notify", "mini"])
def test_an_entry_that_the_user_closed_comes_back_only_to_end(open_editor, plugin):
    editor = open_editor()
    add_plugins(editor, plugin)
    task(editor, percent=10)
    editor.lua("require('notify').close_last()" if plugin == "notify" else "MiniNotify.remove(1)")
    count = len(drawn(editor))
    editor.lua("_G.task:report({ percent = 50 })")
    assert len(drawn(editor)) == count
    editor.lua("_G.task:finish('it is there.', 'success')")
    last = next(one for one in reversed(drawn(editor)) if "it is there." in one["text"])
    assert last["entry"] != drawn(editor)[0]["entry"]
    assert_calm(editor)


def test_a_vim_notify_that_gives_no_record_is_not_flooded(open_editor):
    editor = open_editor(progress="notify")
    add_plugins(editor, "notify")
    editor.lua("require('notify').notify = function() _G.calls = (_G.calls or 0) + 1 end")
    task(editor, percent=10)
    for percent in (20, 30, 40):
        editor.lua("_G.task:report({ percent = ... })", percent)
    editor.wait_for_text("lofi 40%")
    assert editor.lua("return _G.calls") == 1


# What is shown


def test_a_real_job_is_shown_by_the_plugin(open_editor):
    editor = open_editor(PUPPET, auto_play=False, player={"output": "none"})
    add_plugins(editor, "snacks")
    editor.command("LofiGenerate steps 40")
    wait_for_event(editor, "LofiDone")
    told = [one for one in drawn(editor) if one["title"] == "lofi: steps 40"]
    assert len({one["entry"] for one in told}) == 1
    percents = [one["percent"] for one in told if "percent" in one]
    assert len(percents) > 3
    assert percents == sorted(percents)
    assert "█" in told[-2]["text"]
    assert ":LofiPlay" in told[-1]["text"]


def test_a_job_that_waits_has_its_entry_already_and_what_is_cached_one_that_has_ended(open_editor, go):
    editor = open_editor(PUPPET, auto_play=False, player={"output": "none"})
    add_plugins(editor, "snacks")
    editor.command("LofiGenerate steps 2 hold seed=1")
    wait_for_event(editor, "LofiStarted")
    editor.command("LofiGenerate steps 2 seed=2")
    editor.wait("vim.iter(_G.drawn):any(function(one) return one.text == 'queued' end)")
    go()
    wait_for_event(editor, "LofiDone", 2)
    editor.command("LofiGenerate steps 2 seed=2")
    wait_for_event(editor, "LofiDone", 3)
    second = [one for one in drawn(editor) if one["title"] == "lofi: steps 2"]
    assert len({one["entry"] for one in second}) == 2
    assert "from the library" in second[-1]["text"]
    assert not any("queued" in line for line in editor.messages())


def test_a_job_of_somebody_else_is_not_shown(open_editor, fake):
    told = [["generation_started", job("radio", 0)], ["generation_progress", job("radio", 40)]]
    editor = open_editor(fake(pause=[*({"notify": one} for one in told), {"reply": {"state": "stopped"}}]).command)
    add_plugins(editor, "snacks")
    editor.lua("require('lofi').pause(function() _G.done = true end)")
    editor.wait("_G.done")
    assert drawn(editor) == []


def test_a_task_takes_no_news_after_its_end_and_no_share_beyond_the_whole(open_editor):
    editor = open_editor()
    add_plugins(editor, "snacks")
    task(editor, "Installing musicgen", message="collecting torch")
    editor.lua("_G.task:report({ percent = 12.9 }) _G.task:report({ percent = 250 }) _G.task:report({ percent = -3 })")
    editor.lua("_G.task:report({ message = 'unpacking' })")
    editor.lua("_G.task:finish('musicgen is installed.', 'success')")
    editor.lua("_G.task:report({ percent = 5 }) _G.task:finish('no.', 'failed')")
    told = drawn(editor)
    assert [one.get("percent") for one in told] == [None, 12, 100, 100, None]
    assert [one["text"] for one in told][0::4] == ["collecting torch", "musicgen is installed."]


def test_the_last_line_shows_the_task_that_began_last_and_then_the_one_before(open_editor):
    editor = open_editor()
    task(editor, "the first", percent=30)
    editor.lua("_G.first = _G.task")
    editor.wait_for_text("the first")
    task(editor, "the second")
    editor.wait_for_text("lofi the second")
    editor.lua("_G.first:report({ percent = 40 })")
    editor.lua("_G.task:finish('the second is done.', 'success')")
    editor.wait_for_text("lofi: the second is done.")
    editor.lua("_G.first:report({ percent = 50 })")
    assert "the second is done." in editor.last_line()  # it can be read before the other goes on
    editor.lua("vim.uv.update_time() local now = vim.uv.now vim.uv.now = function() return now() + 2500 end")
    editor.lua("_G.first:report({ percent = 60 })")
    editor.wait_for_text("lofi 60%")
    shown = [int(found[1]) for line in editor.seen if (found := re.search(r"(\d+)%.*the first", line))]
    assert shown == sorted(shown)


@pytest.mark.parametrize("progress", ["cmdline", "native"])
@pytest.mark.parametrize(("columns", "cmdheight"), [(20, 1), (40, 0), (90, 0)])
def test_no_screen_is_so_narrow_that_a_key_has_to_be_pressed(open_editor, progress, columns, cmdheight):
    editor = open_editor(progress=progress, columns=columns)
    add_plugins(editor, "native")
    editor.command(f"set cmdheight={cmdheight}")
    task(editor, "a title 音楽 of more words than the line can hold", message="and notes that are long, too")
    for percent in range(0, 101, 10):
        editor.lua("_G.task:report({ percent = ... })", percent)
    editor.lua("_G.task:finish(..., 'failed')", "It failed for reasons that take more than a line to be told. " * 3)
    editor.wait(editor.messages)
    assert_calm(editor)


@pytest.mark.parametrize("progress", ["cmdline", "native"])
def test_who_types_a_command_is_not_written_over_and_learns_of_the_end(open_editor, progress):
    editor = open_editor(progress=progress)
    add_plugins(editor, "native")
    task(editor, percent=10)
    editor.type(":echo 'mine")
    editor.wait_for_text(":echo 'mine")
    editor.lua("_G.task:report({ percent = 40 })")
    editor.lua("_G.task:finish('it is there.', 'success')")
    assert editor.last_line().startswith(":echo 'mine")
    assert [one for one in drawn(editor) if one.get("percent") == 40 or one["over"]] == []
    editor.type("<Esc>")
    editor.wait_for_text("it is there.")
    assert_calm(editor)


def test_none_is_silent_but_for_what_failed(open_editor):
    editor = open_editor(progress="none")
    add_plugins(editor, "snacks")
    task(editor, percent=10)
    editor.lua("_G.task:finish('it is there.', 'success')")
    task(editor, percent=10)
    editor.lua("_G.task:finish('it is not there.', 'failed')")
    assert editor.wait(editor.messages) == ["lofi: it is not there."]
    assert drawn(editor) == []


def test_ascii_draws_the_bar_without_blocks(open_editor):
    editor = open_editor(ascii=True, progress="cmdline")
    task(editor, percent=50)
    editor.wait_for_text("lofi 50% [######------] sad piano")


def test_a_vim_notify_that_fails_swallows_nothing_that_is_said(open_editor):
    editor = open_editor()
    editor.lua("vim.notify = function() error('notify is broken') end")
    task(editor)
    editor.lua("_G.task:finish('it is not there.', 'failed')")
    editor.wait_for_text("lofi: it is not there.")
    assert_calm(editor)


def test_snacks_is_given_messages_in_lines_that_it_does_not_cut(open_editor):
    editor = open_editor()
    add_plugins(editor, "snacks")
    editor.lua("vim.notify = function(text) _G.said = text end")
    editor.lua("require('lofi.message').say(('of many words '):rep(9))")
    lines = editor.wait("_G.said").splitlines()
    assert " ".join(lines) == "lofi: " + ("of many words " * 9).strip()
    assert max(len(line) for line in lines) <= 36
