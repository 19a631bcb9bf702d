"""The outline of a track: as loud and as bright as the sound is, where it is."""

import os

import numpy as np
import pytest
import soundfile

from lofi_daemon.audio import waveform as room
from lofi_daemon.audio.files import FORMATS, DamagedFile
from lofi_daemon.audio.waveform import waveform

RATE = 48_000


def sine(hertz, seconds, gain=0.5):
    return gain * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def write(path, audio, audio_format="flac"):
    container = {"flac": "FLAC", "wav": "WAV", "ogg": "OGG", "mp3": "MP3"}[audio_format]
    with soundfile.SoundFile(path, "w", RATE, 1 if audio.ndim == 1 else audio.shape[1], format=container) as file:
        for start in range(0, len(audio), RATE):  # libsndfile's Vorbis encoder crashes on long writes
            file.write(audio[start : start + RATE])
    return path


@pytest.mark.parametrize("audio_format", FORMATS)
def test_columns_follow_the_sound(tmp_path, audio_format):
    sound = np.concatenate([sine(440, 2, 0.2), np.zeros(2 * RATE), sine(440, 2, 0.8)])
    drawn = waveform(write(tmp_path / f"a.{audio_format}", sound, audio_format), 6)
    assert (drawn.columns, round(drawn.duration_sec)) == (6, 6)
    assert drawn.peaks[0] == pytest.approx(0.25, abs=0.02)
    assert drawn.peaks[5] == pytest.approx(1.0, abs=0.02)
    assert drawn.levels[5] == pytest.approx(2**-0.5, abs=0.03), "a sine's RMS, relative to its peak"
    assert drawn.levels[3] < 0.05


@pytest.mark.parametrize(("hertz", "tone"), [(50, 0.0), (894, 0.5), (8000, 1.0), (15_000, 1.0)])
def test_the_tone_is_the_centroid_on_a_scale_of_octaves(tmp_path, hertz, tone):
    drawn = waveform(write(tmp_path / "a.flac", sine(hertz, 3)), 3)
    assert drawn.tones == pytest.approx([tone] * 3, abs=0.03)


def test_both_channels_count(tmp_path):
    silent, loud = np.zeros(RATE), sine(1000, 1)
    drawn = waveform(write(tmp_path / "a.wav", np.stack([silent, loud], axis=1), "wav"), 2)
    assert drawn.peaks == pytest.approx([1.0, 1.0], abs=0.01)


def test_silence_is_flat_and_dark(tmp_path):
    drawn = waveform(write(tmp_path / "a.flac", np.zeros(RATE)), 4)
    assert drawn.peaks == drawn.levels == drawn.tones == [0.0] * 4


@pytest.mark.parametrize("frames", [1, 100, 5 * RATE + 1])
@pytest.mark.parametrize("columns", [1, 160, 500])
def test_any_length_fits_any_number_of_columns(tmp_path, frames, columns):
    drawn = waveform(write(tmp_path / "a.wav", np.full(frames, 0.5), "wav"), columns)
    for values in (drawn.peaks, drawn.levels, drawn.tones):
        assert len(values) == columns
        assert all(0.0 <= value <= 1.0 for value in values)
    assert drawn.peaks == pytest.approx([1.0] * columns, abs=0.01)


def test_a_track_is_decoded_once_until_its_file_changes(tmp_path, monkeypatch):
    decoded = []
    decode = room.decode
    monkeypatch.setattr(room, "decode", lambda path, block: decoded.append(path) or decode(path, block))
    path = write(tmp_path / "a.flac", sine(440, 1, 0.2))
    before = waveform(path, 10)
    assert waveform(path, 20).columns == 20
    assert len(decoded) == 1
    write(path, sine(4000, 2))
    os.utime(path, ns=(1, 1))
    assert waveform(path, 10) != before
    assert len(decoded) == 2


def test_a_file_cut_short_is_damaged(tmp_path):
    path = write(tmp_path / "a.flac", np.random.default_rng(1).uniform(-0.5, 0.5, 3 * RATE))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DamagedFile):
        waveform(path, 10)
