"""The worker's door: parameters in, a rendering out."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from lofi_daemon.backends.base import GenerationCancelled
from lofi_daemon.backends.synth.__main__ import main
from lofi_daemon.backends.synth.engine import make_engine
from lofi_daemon.backends.synth.info import INFO
from lofi_daemon.model import NoticeLevel, StageParams


class Context:
    def __init__(self, cancel_at: int | None = None) -> None:
        self.steps: list[tuple[int, int]] = []
        self._cancel_at = cancel_at

    def step(self, done: int, total: int) -> None:
        self.steps.append((done, total))
        if self._cancel_at is not None and len(self.steps) >= self._cancel_at:
            raise GenerationCancelled

    def notice(self, level: NoticeLevel, message: str) -> None:
        raise AssertionError(message)


def params(**changes: object) -> StageParams:
    asked = {"backend": "synth", "prompt": "jazzhop with drums", "duration_sec": 8.0, "seed": 3} | changes
    return StageParams(**asked)  # type: ignore[arg-type]


def test_a_rendering_says_what_was_played() -> None:
    context = Context()
    (made,) = make_engine().render(params(bpm=88, keyscale="F# minor", timesignature="4/4"), context)
    assert made.audio.shape == (8 * INFO.sample_rate, 2)
    assert made.sample_rate == INFO.sample_rate
    assert made.lufs == pytest.approx(-16, abs=0.3)
    heard = json.loads(json.dumps(made.metadata))
    assert heard["style"] == "jazzhop"
    assert heard["bpm"] == pytest.approx(88, rel=0.02)
    assert heard["keyscale"] == "F# minor"
    assert heard["timesignature"] == "4/4"
    assert heard["swing"] >= 50
    assert {"keys", "kick"} <= set(heard["layers"])
    assert heard["sections"][0]["start_sec"] == 0
    assert all(set(section) == {"name", "start_sec", "duration_sec"} for section in heard["sections"])
    assert context.steps[-1][0] <= context.steps[-1][1]


def test_a_large_seed_is_a_seed_of_its_own() -> None:
    engine = make_engine()
    largest, other = (
        engine.render(params(seed=seed, duration_sec=5.0), Context())[0].audio for seed in (str(2**64 - 1), 2**53 - 1)
    )
    assert not np.array_equal(largest, other)


def test_cancelling_reaches_the_caller_and_the_engine_goes_on() -> None:
    engine = make_engine()
    with pytest.raises(GenerationCancelled):
        engine.render(params(), Context(cancel_at=20))
    assert len(engine.render(params(duration_sec=5.0), Context())) == 1


def test_unloading_frees_the_notes_and_changes_no_sample() -> None:
    engine = make_engine()
    assert engine.device == "cpu"
    assert engine.unload() is False
    before = engine.render(params(duration_sec=5.0), Context())[0].audio
    assert engine.unload() is True
    assert engine.unload() is False
    assert np.array_equal(engine.render(params(duration_sec=5.0), Context())[0].audio, before)


def test_the_composer_loads_neither_torch_nor_the_slow_half_of_scipy() -> None:
    """scipy.signal alone takes half a second, which the first track would wait for."""
    code = "import sys, lofi_daemon.backends.synth.engine; print(*(m for m in sys.argv[1:] if m in sys.modules))"
    command = [sys.executable, "-c", code, "torch", "scipy.signal", "scipy.ndimage", "soundfile", "sounddevice"]
    assert subprocess.check_output(command, text=True).split() == []


def test_the_command_writes_audio_stems_and_score(tmp_path, monkeypatch, capsys) -> None:
    out, stems, score = tmp_path / "a.flac", tmp_path / "stems", tmp_path / "a.json"
    words = ["prog", "chillhop", "--seconds", "5", "--seed", "7", "--out", out, "--stems", stems, "--score", score]
    monkeypatch.setattr("sys.argv", [str(word) for word in words])
    assert main() == 0
    assert soundfile.info(out).frames == 5 * 44_100
    assert {path.stem for path in stems.iterdir()} == {"drums", "bass", "keys", "lead", "pad", "texture"}
    assert json.loads(score.read_text())["seed"] == 7
    assert "chillhop" in capsys.readouterr().out


def test_the_command_says_what_is_wrong_in_a_sentence(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["prog", "chillhop", "--keyscale", "H flat", "--out", str(tmp_path / "a.wav")])
    assert main() == 2
    assert "D minor" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["prog", "x", "--seconds", "5", "--out", str(tmp_path / "none" / "a.wav")])
    assert main() == 1
    assert "could not be written" in capsys.readouterr().err
