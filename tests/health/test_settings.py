"""What the settings say, where each came from, and what they do just now."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from lofi_daemon import config
from lofi_daemon.health import settings
from lofi_daemon.health.child import Answer

NIGHT = datetime(2026, 1, 1, 23, 30)
NOWHERE = Path("/nowhere")


def look(*setup, file=NOWHERE / "config.toml", now=NIGHT, supplies=NOWHERE):
    loaded = config.load(setup, environ={"LOFI_THREADS": "2"}, file=file)
    return [(found.level, found.text) for found in settings.look(loaded, lambda: now, supplies)]


def test_what_is_not_as_by_default_is_told_with_its_source(tmp_path):
    file = tmp_path / "config.toml"
    assert look(file=file) == [
        ("ok", f"{file} (not there; it is optional)"),
        ("info", "threads = 2, from environment LOFI_THREADS"),
    ]
    file.write_text("worker_nice = 5\n")
    assert look("cache.max_mb=7", file=file) == [
        ("ok", f"{file} (read)"),
        ("info", "threads = 2, from environment LOFI_THREADS"),
        ("info", "cache.max_mb = 7, from setup"),
        ("info", f"worker_nice = 5, from {file}"),
    ]


def test_what_does_not_fit_is_a_warning():
    warnings = [text for level, text in look("player.volume=11", "player.volumee=1") if level == "warn"]
    assert "player.volume = '11' does not fit" in warnings[0]
    assert (
        warnings[1] == "setup: there is no setting “player.volumee”, perhaps “player.volume”; `lofi doctor` lists them."
    )


def test_quiet_hours_are_told_while_they_last():
    text = "It is quiet now (22:00-07:00): no music starts by itself; what you start plays"
    assert ("info", text) in look("player.quiet_hours=22:00-07:00")
    assert len(look("player.quiet_hours=22:00-07:00", now=NIGHT.replace(hour=12))) == 3
    assert "no span of the day" in look("player.quiet_hours=tonight")[-1][1]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "No battery is seen here"),
        ({"BAT0": {"type": "Battery", "status": "Discharging"}}, "On battery: music pauses"),
        ({"AC": {"type": "Mains", "online": "1"}, "BAT0": {"type": "Battery", "status": "Full"}}, "Plugged in"),
    ],
)
def test_pausing_on_battery_says_how_the_machine_runs(tmp_path, files, told):
    for supply, values in files.items():
        (tmp_path / supply).mkdir()
        for name, value in values.items():
            (tmp_path / supply / name).write_text(value)
    assert look("player.pause_on_battery=true", supplies=tmp_path)[-1][1].startswith(told)


def test_a_mac_is_asked_in_its_own_way():
    loaded = config.load(("player.pause_on_battery=true",), environ={}, file=NOWHERE / "config.toml")
    answer = Answer("Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1) 80%; discharging\n")
    *_, found = settings.look(loaded, platform="darwin", ask=lambda *words: answer)
    assert found.text.startswith("On battery")


def test_a_limit_hook_that_cannot_be_loaded_keeps_music_from_being_made(tmp_path):
    file = tmp_path / "config.toml"
    file.write_text('limit_hook = "no_such_module:hook"\n')
    level, text = look(file=file)[-1]
    assert level == "error"
    assert "ModuleNotFoundError" in text and text.endswith("every request is refused")
