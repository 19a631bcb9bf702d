"""From score to audio: exact length, same bits, stems, textures, and nothing that any score can break."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from support.listening import band_energy, piece

from lofi_daemon.audio.loudness import integrated_lufs
from lofi_daemon.backends.base import GenerationCancelled
from lofi_daemon.backends.synth.composer import compose
from lofi_daemon.backends.synth.render import STEMS, render
from lofi_daemon.backends.synth.score import Mix, Note, Score, Section
from lofi_daemon.backends.synth.units import RATE
from lofi_daemon.backends.synth.voices.bank import NoteBank

CHORD = tuple(Note(0.2, 4.0, pitch, 0.6, "rhodes") for pitch in (53, 57, 60, 64))
BUSY = "lofi house with strings and bells, dusty vinyl, rain, storm, ocean waves, 90s"


def digest(audio: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(audio).tobytes()).hexdigest()


@pytest.mark.parametrize("duration", [5.0, 5.4321, 7.77777, 12.0])
def test_length_is_exact_to_the_sample(duration: float) -> None:
    track = render(compose("chillhop", duration, 3))
    assert track.audio.shape == (round(duration * 44_100), 2)
    assert track.audio.dtype == np.float32
    assert track.audio.flags.c_contiguous
    assert track.sample_rate == 44_100


def test_equal_scores_give_equal_bits_whatever_is_in_the_bank() -> None:
    score, other = compose(BUSY, 12.0, 5), compose("piano ballad", 8.0, 6)
    fresh = render(score).audio
    bank = NoteBank()
    render(other, bank=bank)
    assert np.array_equal(render(score, bank=bank).audio, fresh)
    assert np.array_equal(render(score, bank=bank).audio, fresh)
    assert np.array_equal(render(score, bank=NoteBank(budget_bytes=1)).audio, fresh)


def test_equal_scores_give_equal_bits_in_any_process_with_any_number_of_threads() -> None:
    code = (
        "import hashlib; from lofi_daemon.backends.synth.composer import compose;"
        "from lofi_daemon.backends.synth.render import render;"
        f"print(hashlib.sha256(render(compose({BUSY!r}, 12.0, 5)).audio.tobytes()).hexdigest())"
    )
    heard = {digest(render(compose(BUSY, 12.0, 5)).audio)}
    for threads in ("1", "4"):
        environment = os.environ | {
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "PYTHONHASHSEED": threads,
        }
        heard.add(subprocess.check_output([sys.executable, "-c", code], text=True, env=environment).strip())
    assert len(heard) == 1


def test_stems_add_up_to_the_track_and_asking_for_them_changes_nothing() -> None:
    score = compose(BUSY, 15.0, 5)
    plain, split = render(score), render(score, stems=True)
    assert plain.stems is None
    assert split.stems is not None
    assert set(split.stems) == set(STEMS)
    assert np.array_equal(plain.audio, split.audio)
    total = sum(stem.astype(np.float64) for stem in split.stems.values())
    assert np.abs(total - split.audio).max() < 1e-5
    for name in ("drums", "bass", "keys", "pad", "texture"):
        assert np.abs(split.stems[name]).max() > 0.003, name
    assert band_energy(split.stems["bass"], 20, 400) > 0.95


EMPTY = Mix(crackle_db=None, hiss=False)


@pytest.mark.parametrize(
    "score",
    [
        piece(5.0),
        piece(5.0, EMPTY, keys=()),
        piece(5.0, EMPTY, lead=(Note(2.0, 0.5, 72, 0.7, "bells"),)),
        piece(5.0, EMPTY, lead=(Note(4.999, 0.5, 72, 0.7, "bells"),)),
        piece(0.3, EMPTY, keys=CHORD),
        piece(5.0, EMPTY, kick=(Note(0.0, 0.1, 0, 1.0, "kick"),)),
        replace(piece(5.0, EMPTY, keys=CHORD), sections=()),
        replace(piece(5.0, EMPTY, keys=CHORD), sections=(Section("A", 0, 1, 1.0, 0.0, -60.0, 10.0, 10.0),)),
        piece(5.0, Mix(lowpass_hz=30_000, wow=20, saturation=8, sidechain=9, bit_crush=7), keys=CHORD),
        piece(5.0, Mix(lowpass_hz=50, reverb_time_scale=50, rain_db=-12, thunder=True, ocean_db=-10), keys=CHORD),
        piece(5.0, Mix(saturation=0, wow=0, sidechain=0, reverb_time_scale=0, crackle_rate=0), keys=CHORD),
    ],
    ids=["no layers", "empty layer", "one note", "a note at the end", "a third of a second", "one kick", "no sections",
         "odd sections", "far too much", "more of it", "nothing of it"],
)  # fmt: skip
def test_no_score_is_too_odd(score: Score) -> None:
    track = render(score, stems=True)
    assert len(track.audio) == round(score.duration * RATE)
    assert np.isfinite(track.audio).all()
    assert np.abs(track.audio).max() <= 0.9
    assert not track.audio[-1].any()
    assert track.lufs is None or -70 < track.lufs < -15
    assert all(np.isfinite(stem).all() for stem in (track.stems or {}).values())


def test_without_music_the_record_only_crackles_softly() -> None:
    track = render(piece(6.0, Mix()))
    assert track.lufs is None or track.lufs < -30
    assert 0 < np.abs(track.audio).max() < 0.3


def test_rendering_can_be_stopped_at_any_step() -> None:
    score = compose("chillhop", 10.0, 3)
    seen: list[tuple[int, int]] = []
    render(score, step=lambda done, total: seen.append((done, total)))
    assert len({total for _, total in seen}) == 1
    done = [count for count, _ in seen]
    assert done == sorted(done)
    assert done[0] <= 2
    assert max(done) <= seen[0][1]
    for stop in (1, len(seen) // 2, len(seen) - 1):
        calls = 0

        def cancel(done: int, total: int, stop: int = stop) -> None:
            nonlocal calls
            calls += 1
            if calls == stop:
                raise GenerationCancelled

        with pytest.raises(GenerationCancelled):
            render(score, step=cancel)


def test_steps_come_often_in_a_long_track() -> None:
    """At least two a second of music, or cancelling would lag."""
    steps = 0

    def count(done: int, total: int) -> None:
        nonlocal steps
        steps += 1

    render(compose("ambient", 60.0, 1), step=count)
    assert steps > 2 * 60


def test_soft_and_loud_scores_come_out_equally_loud() -> None:
    soft = tuple(replace(note, velocity=0.05) for note in CHORD)
    loudness = [render(piece(8.0, keys=notes)).lufs for notes in (soft, CHORD)]
    assert loudness[0] == pytest.approx(loudness[1], abs=0.2)
    assert integrated_lufs(render(piece(8.0, keys=CHORD)).audio, RATE) == pytest.approx(-16, abs=0.2)
