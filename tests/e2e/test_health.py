""":checkhealth lofi: what was found, what it means, and the command that mends it."""

from support.editor import PUPPET


def report(editor):
    editor.command("checkhealth lofi")
    return editor.lua("return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n')")


def test_a_healthy_daemon(open_editor):
    text = report(open_editor(PUPPET, player={"output": "none"}, threads=2))
    assert "ERROR" not in text
    for part in (
        "Neovim 0.1",
        "found in daemon.cmd",
        "settings passed to it: threads=2 player.output=none",
        "protocol 1",
        "synth (Built-in composer): ready",
        "musicgen (MusicGen): not installed",
        "tracks: 0",
        "lofi.log",
    ):
        assert part in text


def test_a_missing_daemon(open_editor):
    text = report(open_editor(["/nowhere/lofi-daemon"]))
    assert "ERROR daemon.cmd names /nowhere/lofi-daemon" in text
    assert "make -C" in text


def test_a_daemon_that_dies(open_editor, fake):
    text = report(open_editor(fake(start=[{"exit": 1}]).command))
    assert "ERROR lofi-daemon stopped before it answered" in text
    assert ":LofiLog" in text


def test_a_daemon_of_another_version(open_editor, fake):
    daemon = fake(
        ping=[{"reply": {"status": "ok", "version": "9", "protocol": 9, "pid": 1}}],
        status=[{"error": {"code": -32601, "message": "No.", "data": {"code": "METHOD_NOT_FOUND"}}}],
    )
    text = report(open_editor(daemon.command))
    assert "ERROR version 9 speaks protocol 9, this plugin 1" in text


def test_an_unwritable_cache(open_editor, tmp_path):
    (tmp_path / "file").write_text("")
    text = report(open_editor(PUPPET, cache={"dir": str(tmp_path / "file" / "cache")}))
    assert "ERROR" in text
    assert "Set cache.dir" in text
