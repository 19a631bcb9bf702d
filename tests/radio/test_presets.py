"""The moods that ship, and the user's own."""

import pytest

from lofi_daemon import config
from lofi_daemon.radio import presets
from lofi_daemon.radio.presets import Preset
from lofi_daemon.stages.request import STAGE_FIELDS


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config.toml"


def by_name(loaded):
    return {preset.name: preset for preset in loaded[0]}


def test_a_dozen_ship_and_differ(file):
    moods, problems = presets.load(file)
    assert problems == ()
    assert len({mood.prompt for mood in moods}) == len(moods) >= 12


def test_the_users_come_from_config_toml_and_from_a_file_beside_it(file):
    file.write_text('threads = 2\n[presets.mine]\nprompt = " my mood "\nbpm = 71\nkeyscale = "d minor"\n')
    file.with_name("presets.toml").write_text('[other]\nprompt = "other mood"\n')
    loaded = by_name(presets.load(file))
    assert loaded["mine"] == Preset("mine", "my mood", 71, "D minor")
    assert loaded["other"] == Preset("other", "other mood")
    assert len(loaded) >= 14


def test_presets_are_no_unknown_settings(file):
    file.write_text('threads = 2\n[presets.mine]\nprompt = "x"\n')
    loaded = config.load((), {}, file)
    assert loaded.problems == ()
    assert loaded.settings.threads == 2
    assert loaded.file == file


def test_one_of_a_name_that_ships_replaces_it(file):
    file.write_text('[presets.sleepy]\nprompt = "wide awake"\n')
    moods, _ = presets.load(file)
    assert [mood.prompt for mood in moods if mood.name == "sleepy"] == ["wide awake"]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("[presets.x]\nbpm = 80", "prompt"),
        ('[presets.x]\nprompt = ""', "length"),
        ('[presets.x]\nprompt = "  "', "empty"),
        (f'[presets.x]\nprompt = "{"a" * 513}"', "length"),
        ('[presets.x]\nprompt = "a"\nbpm = 29', "bpm"),
        ('[presets.x]\nprompt = "a"\nbpm = "fast"', "bpm"),
        ('[presets.x]\nprompt = "a"\nkeyscale = "H minor"', "D minor"),
        ('[presets.x]\nprompt = "a"\ntempo = 80', "tempo"),
        ('[presets."x y"]\nprompt = "a"', "letters"),
        ("[presets]\nx = 3", "object"),
    ],
)
def test_a_bad_one_is_said_and_left_out_and_the_others_stay(file, table, why):
    file.write_text(table + '\n[presets.good]\nprompt = "good"\n')
    moods, problems = presets.load(file)
    assert len(problems) == 1
    assert why in problems[0]
    assert str(file) in problems[0]
    assert "x" not in {mood.name for mood in moods}
    assert "good" in {mood.name for mood in moods}


def test_files_that_cannot_be_read_leave_what_ships(file):
    file.write_text("presets = 3")
    file.with_name("presets.toml").write_text("[broken")
    moods, problems = presets.load(file)
    assert len(moods) >= 12
    assert len(problems) == 2
    assert any("could not be read" in problem for problem in problems)


@pytest.mark.parametrize("name", [name for name in STAGE_FIELDS if name.endswith("_id")])
def test_a_preset_carries_no_latent_and_no_track(file, name):
    file.write_text(f'[presets.mine]\nprompt = "x"\n{name} = "abcdef"\n')
    moods, (problem,) = presets.load(file)
    assert "mine" not in {mood.name for mood in moods} and name in problem
    assert not hasattr(moods[0], name)
