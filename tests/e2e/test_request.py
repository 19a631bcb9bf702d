"""The words after :LofiGenerate, and the completion of every command."""

import pytest
from support.neovim import ROOT, Neovim


@pytest.fixture(scope="module")
def shared():
    with Neovim("--clean", "-n", "--cmd", f"let &runtimepath = '{ROOT},' .. &runtimepath") as editor:
        yield editor


def parse(editor, words):
    return editor.lua(
        "local opts, err = require('lofi.request').parse(...) return { opts or 0, err and err.message or '' }", words
    )


@pytest.mark.parametrize(
    ("words", "opts"),
    [
        ("rainy night", {"prompt": "rainy night"}),
        ("rainy  night ", {"prompt": "rainy night"}),
        ("rainy night, mellow rhodes, 75 bpm", {"prompt": "rainy night, mellow rhodes, 75 bpm"}),
        ("rainy duration=60 night", {"prompt": "rainy night", "duration_sec": 60}),
        ("duration=60 rainy night", {"prompt": "rainy night", "duration_sec": 60}),
        ("rain, duration=60, bpm=80,", {"prompt": "rain", "duration_sec": 60, "bpm": 80}),
        ("rain duration=2:30", {"prompt": "rain", "duration_sec": 150}),
        ("rain duration=30.5", {"prompt": "rain", "duration_sec": 30.5}),
        ("rain duration_sec=30", {"prompt": "rain", "duration_sec": 30}),
        ("rain seed=7", {"prompt": "rain", "seed": 7}),
        ("rain seed=9007199254740992", {"prompt": "rain", "seed": "9007199254740992"}),
        ('rain key="D minor"', {"prompt": "rain", "keyscale": "D minor"}),
        ("rain key='D minor' bpm=70", {"prompt": "rain", "keyscale": "D minor", "bpm": 70}),
        ('rain key="D minor", sad', {"prompt": "rain sad", "keyscale": "D minor"}),
        ("rain keyscale=Dm", {"prompt": "rain", "keyscale": "Dm"}),
        ("rain timesignature=3/4", {"prompt": "rain", "timesignature": "3/4"}),
        ("rain play=no", {"prompt": "rain", "auto_play": False}),
        ("rain instrumental=YES", {"prompt": "rain", "instrumental": True}),
        ("steps=8 rain", {"prompt": "rain", "inference_steps": 8}),
        ("night = day", {"prompt": "night = day"}),
        ("night= day", {"prompt": "night= day"}),
        ("1+1=2 feelings", {"prompt": "1+1=2 feelings"}),
        ("https://x.y?a=b", {"prompt": "https://x.y?a=b"}),
        ('it\'s "late"', {"prompt": 'it\'s "late"'}),
        ("duration=60", {"duration_sec": 60}),
        ("a | b", {"prompt": "a | b"}),
    ],
)
def test_words_become_options(shared, words, opts):
    assert parse(shared, words) == [opts, ""]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("rain tempo=80", "There is no option “tempo”"),
        ("rain sed=8", "perhaps “seed”?"),
        ("rain bpm=fast", 'bpm must be a whole number from 30 to 300, not "fast".'),
        ("rain duration=0", "duration must be a number from 1 up, not 0."),
        ("rain duration=1:99", 'not "1:99"'),
        ("rain key=Dm keyscale=Em", "key is given twice."),
    ],
)
def test_a_slip_says_what_is_known(shared, words, message):
    _, said = parse(shared, words)
    assert message in said
    assert "Options are" in said or "no option" not in said


def complete(editor, line):
    return editor.request("nvim_call_function", "getcompletion", [line, "cmdline"])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Lofi pl", ["play", "player", "playlist"]),
        ("Lofi pa", ["pause"]),
        ("Lofi re", ["restart", "resume"]),
        ("LofiGenerate rain du", ["duration="]),
        ("Lofi generate rain du", ["duration="]),
        (
            "LofiGenerate rain backend=",
            ["backend=synth", "backend=musicgen", "backend=ace_step", "backend=ace_step_15"],
        ),
        ("LofiGenerate rain backend=ace", ["backend=ace_step", "backend=ace_step_15"]),
        ("LofiGenerate rain priority=h", ["priority=high"]),
        ("LofiGenerate rain scheduler=p", ["scheduler=pingpong"]),
        ("LofiGenerate rain play=", ["play=true", "play=false"]),
        ("LofiGenerate rain duration=60 du", []),
        ("LofiGenerate rain nothing=", []),
        ("LofiGen rain du", ["duration="]),
        ("LofiVolume +", ["+5"]),
        ("silent LofiVolume 5", ["50"]),
        ("LofiPlay ", []),
        ("LofiCancel ", []),
        ("Lofi pause ", []),
        ("Lofi rainy du", ["duration="]),
        ("LofiPlaylist ", ["add", "clear", "next", "remove"]),
        ("LofiPlaylist clear ", []),
        ("LofiLoop ", ["off", "one", "all"]),
        ("Lofi shuffle o", ["off", "on"]),
        ("LofiRadio o", ["off"]),
        ("LofiRadio jazz ", ["strategy=", "preset=", "duration=", "backend="]),
        ("LofiRadio strategy=random_preset d", ["duration="]),
        (
            "LofiRadio strategy=",
            [
                "strategy=same_prompt",
                "strategy=preset_cycle",
                "strategy=random_preset",
                "strategy=library",
            ],
        ),
        ("LofiRadio preset=", []),
        ("LofiDevices d", ["default"]),
        ("LofiFocus 2", ["25 5"]),
        ("Lofi pause ", []),
    ],
)
def test_completion(shared, line, expected):
    assert complete(shared, line) == expected


def test_every_subcommand_completes(shared):
    assert complete(shared, "Lofi ") == [
        "ace", "backends", "cancel", "crossfade", "devices", "focus", "generate", "install", "library", "lineage",
        "log", "loop", "pause", "pick", "play", "player", "playlist", "previous", "queue", "radio", "restart", "resume",
        "seek", "shuffle", "skip", "sleep", "status", "stop", "studio", "toggle", "volume",
    ]  # fmt: skip


def test_every_option_completes(shared):
    offered = complete(shared, "LofiGenerate ")
    assert offered == shared.lua("""
      return vim.iter(require('lofi.request').schema)
        :map(function(entry) return (entry.alias and entry.alias[1] or entry.name) .. '=' end):totable()
    """)


def test_tracks_heard_of_complete_newest_first(shared):
    shared.lua("""
      local state = require('lofi.state')
      state.remember(('a'):rep(64), 'one')
      state.remember(('ab'):rep(32), 'two')
    """)
    assert complete(shared, "LofiPlay a") == ["abababababab", "aaaaaaaaaaaa"]
    for option in ("melody", "source"):
        assert complete(shared, f"LofiGenerate rain {option}=ab") == [f"{option}=abababababab"]


def test_one_option_under_two_names_is_refused_in_lua_too(shared):
    said = shared.lua("""
      local _, err = require('lofi.request').params({ prompt = 'x', key = 'Dm', keyscale = 'Em' })
      return err.message
    """)
    assert said == "key is given twice."
