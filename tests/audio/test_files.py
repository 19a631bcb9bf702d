"""Every format holds the audio and the whole Track, and says so when it no longer does."""

import errno
import io

import msgspec
import numpy as np
import pytest
import soundfile
from support.made_tracks import made_track, tone

from lofi_daemon.audio.files import (
    FORMATS,
    AudioInfo,
    DamagedFile,
    decode,
    encode,
    probe,
    read_track,
    title,
    write_track,
)
from lofi_daemon.errors import LofiError
from lofi_daemon.model import Lora

LOSSLESS = ("flac", "wav")
RATES = (32_000, 44_100, 48_000)

AWKWARD = made_track(
    1,
    'é ☂ "quoted"\nsecond line',
    seconds=2.5,
    channels=2,
    sample_rate=44_100,
    lm_metadata={"sections": [1.5, None, True]},
    params=msgspec.structs.replace(made_track(1).params, lyrics="la ☂\0la " * 4000, lora=(Lora("x"),), seed=str(2**63)),
)


def rng(seed=1):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("audio_format", FORMATS)
@pytest.mark.parametrize("rate", RATES)
def test_the_whole_track_comes_back(tmp_path, audio_format, rate):
    path = tmp_path / f"a.{audio_format}"
    track = msgspec.structs.replace(AWKWARD, sample_rate=rate)
    write_track(path, tone(track), rate, msgspec.structs.replace(track, path="/somewhere", favorite=True), audio_format)
    assert read_track(path) == track
    assert probe(path) == AudioInfo(frames=round(2.5 * rate), sample_rate=rate, channels=2)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_players_see_title_artist_and_date(tmp_path, audio_format):
    path = tmp_path / f"a.{audio_format}"
    write_track(path, tone(AWKWARD), 44_100, AWKWARD, audio_format)
    with soundfile.SoundFile(path) as sound:
        tags = (sound.title, sound.artist, sound.date)
    assert tags == ('é ☂ "quoted" second line', "lofi.nvim (synth)", "2026-11-21")


@pytest.mark.parametrize("audio_format", FORMATS)
@pytest.mark.parametrize("seconds", [0.05, 1.0, 2.7, 65.0])
def test_the_audio_comes_back(tmp_path, audio_format, seconds):
    rate = 32_000
    track = made_track(1, seconds=seconds, sample_rate=rate, channels=2)
    audio = tone(track) * np.float32([1.0, 0.5])
    path = tmp_path / f"a.{audio_format}"
    write_track(path, audio, rate, track, audio_format)
    again = np.concatenate(list(decode(path)))
    assert again.shape == audio.shape
    error = np.abs(again - audio)
    if audio_format in LOSSLESS:
        assert error.max() <= 1 / 32768
    elif seconds >= 1:
        assert error[2000:-2000].max() < 0.02


@pytest.mark.parametrize("audio_format", FORMATS)
def test_loud_audio_is_clipped_and_does_not_wrap(tmp_path, audio_format):
    track = made_track(1, seconds=1.0, sample_rate=32_000)
    audio = np.clip(tone(track) * 40, -7, 7)
    path = tmp_path / f"a.{audio_format}"
    write_track(path, audio, 32_000, track, audio_format)
    again = np.concatenate(list(decode(path)))
    middle = slice(4000, -4000)
    assert np.abs(again[middle]).max() < (1.0001 if audio_format in LOSSLESS else 1.5)
    loud = np.abs(audio[middle]) > 3
    assert (np.sign(again[middle][loud]) == np.sign(audio[middle][loud])).all()


def test_decoding_comes_in_blocks_of_a_second(tmp_path):
    track = made_track(1, seconds=2.5)
    write_track(tmp_path / "a.flac", tone(track), 8000, track, "flac")
    assert [len(block) for block in decode(tmp_path / "a.flac")] == [8000, 8000, 4000]


@pytest.mark.parametrize("audio_format", FORMATS)
def test_an_encoder_takes_what_a_decoder_gives_without_holding_it_all(tmp_path, audio_format):
    """A stream of unknown length, so that a ten-minute export needs no ten minutes of memory."""
    track = made_track(1, seconds=3.0)
    pulled = []

    def blocks():
        for start in range(3):
            pulled.append(start)
            yield np.zeros((8000, 1), np.float32)

    file = io.BytesIO()
    encode(file, blocks(), 8000, track, audio_format)
    assert pulled == [0, 1, 2]
    (tmp_path / f"a.{audio_format}").write_bytes(file.getvalue())
    assert read_track(tmp_path / f"a.{audio_format}") == track


@pytest.mark.parametrize("audio_format", FORMATS)
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.9])
def test_a_file_cut_short_is_damaged_or_has_no_track(tmp_path, audio_format, kept):
    track = made_track(1, seconds=5.0, sample_rate=32_000)
    path = tmp_path / f"a.{audio_format}"
    write_track(path, 0.3 * rng().standard_normal((160_000, 1), np.float32), 32_000, track, audio_format)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(DamagedFile) as caught:
        read_track(path)
    assert str(caught.value)


def test_metadata_of_another_shape_is_damage_and_of_others_is_none(tmp_path):
    comments = {"ours": '{"id": 7}', "broken": '{"id": "a', "others": "recorded at home", "none": None}
    for name, comment in comments.items():
        with soundfile.SoundFile(tmp_path / f"{name}.flac", "w", 8000, 1) as sound:
            if comment:
                sound.comment = comment
            sound.write(np.zeros(100))
    assert read_track(tmp_path / "others.flac") is None
    assert read_track(tmp_path / "none.flac") is None
    for name in ("ours", "broken"):
        with pytest.raises(DamagedFile, match="metadata"):
            read_track(tmp_path / f"{name}.flac")


@pytest.mark.parametrize("name", ["a.flac", "a.wav", "a.ogg", "a.mp3", "a.raw", "a"])
def test_what_is_no_audio_is_damaged(tmp_path, name):
    (tmp_path / name).write_bytes(b"no audio at all " * 100)
    with pytest.raises(DamagedFile):
        read_track(tmp_path / name)


def test_what_is_not_there_is_an_error_of_the_system(tmp_path):
    for read in (read_track, probe, lambda path: list(decode(path))):
        with pytest.raises(FileNotFoundError):
            read(tmp_path / "a.flac")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_invalid_samples_are_the_backend_s_failure_and_leave_no_file(tmp_path, bad):
    track = made_track(1)
    audio = tone(track)
    audio[100] = bad
    with pytest.raises(LofiError) as caught:
        write_track(tmp_path / "a.flac", audio, 8000, track, "flac")
    assert caught.value.name == "MODEL_INFERENCE_FAILED"
    assert not (tmp_path / "a.flac").exists()


def test_a_rate_that_mp3_has_not_is_unsupported_and_leaves_no_file(tmp_path):
    track = made_track(1, sample_rate=96_000)
    with pytest.raises(LofiError) as caught:
        write_track(tmp_path / "a.mp3", tone(track), 96_000, track, "mp3")
    assert (caught.value.name, caught.value.field) == ("UNSUPPORTED", "format")
    assert not (tmp_path / "a.mp3").exists()


def test_a_file_that_is_there_is_not_written_over(tmp_path):
    (tmp_path / "a.flac").write_bytes(b"mine")
    track = made_track(1)
    with pytest.raises(FileExistsError):
        write_track(tmp_path / "a.flac", tone(track), 8000, track, "flac")
    assert (tmp_path / "a.flac").read_bytes() == b"mine"


def test_audio_of_another_shape_than_the_track_says_is_a_mistake_of_ours(tmp_path):
    for shape in ((100,), (100, 2)):
        with pytest.raises(ValueError, match="shape"):
            write_track(tmp_path / "a.flac", np.zeros(shape, np.float32), 8000, made_track(1), "flac")


class FullDisk(io.BytesIO):
    """Takes 2,000 bytes."""

    def write(self, data):
        if self.tell() + len(data) > 2000:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("audio_format", FORMATS)
def test_the_reason_of_a_refused_write_is_the_system_s_own(audio_format):
    track = made_track(1, seconds=5.0)
    with pytest.raises(OSError, match="No space left") as caught:
        encode(FullDisk(), [rng().random((8000, 1), np.float32)] * 5, 8000, track, audio_format)
    assert caught.value.errno == errno.ENOSPC


def test_a_title_is_one_line_of_bounded_length():
    assert title(" a \n b ") == "a b"
    long = title("word " * 100)
    assert len(long) <= 80
    assert long.endswith("…")
