"""Audio of the user's own in the library."""

from datetime import UTC, datetime

import numpy as np
import pytest
import soundfile

from lofi_daemon.audio.files import decode, read_track
from lofi_daemon.errors import LofiError
from lofi_daemon.library.importing import take_in

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)


def tone(path, seconds=1.5, rate=22_050, channels=1):
    times = np.arange(round(seconds * rate)) / rate
    soundfile.write(path, np.repeat(np.sin(2 * np.pi * 440 * times)[:, None] / 2, channels, 1), rate)
    return path


def test_a_file_becomes_a_track_of_the_same_sound_that_says_so_itself(tmp_path):
    (tmp_path / "staging").mkdir()
    path = tone(tmp_path / "my tune.wav", channels=2)
    track, staged = take_in(str(path), None, "flac", tmp_path / "staging", NOW)
    assert (track.prompt, track.backend, track.duration_sec, track.channels) == ("my tune", "import", 1.5, 2)
    assert read_track(staged) == track
    heard, meant = (np.concatenate(list(decode(file))) for file in (staged, path))
    np.testing.assert_allclose(heard, meant, atol=2**-15)


def test_the_same_file_is_the_same_track_and_another_another(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()
    one, two, other = tone(tmp_path / "1.wav"), tone(tmp_path / "2.wav"), tone(tmp_path / "3.wav", 1.6)
    ids = [take_in(str(p), None, "flac", tmp_path / f, NOW)[0].id for p, f in ((one, "a"), (two, "b"), (other, "c"))]
    assert ids[0] == ids[1] != ids[2]


@pytest.mark.parametrize(
    ("make", "name", "why"),
    [
        (lambda path: tone(path, 0.5), "INVALID_PARAMS", "0.5 seconds"),
        (lambda path: tone(path, channels=3), "INVALID_PARAMS", "3 channels"),
        (lambda path: path.write_text("words"), "UNSUPPORTED", "cannot be imported"),
        (lambda path: path.mkdir(), "INVALID_PARAMS", "no such file"),
        (lambda path: None, "INVALID_PARAMS", "no such file"),
    ],
)
def test_what_is_no_track_is_refused_by_name(tmp_path, make, name, why):
    make(tmp_path / "x.wav")
    with pytest.raises(LofiError) as caught:
        take_in(str(tmp_path / "x.wav"), None, "flac", tmp_path, NOW)
    assert (caught.value.name, caught.value.field) == (name, "path")
    assert why in caught.value.message


@pytest.mark.parametrize("path", ["x.wav", "~nobody-at-all/x.wav", "/x\0.wav"])
def test_a_path_is_whole(tmp_path, path):
    with pytest.raises(LofiError) as caught:
        take_in(path, None, "flac", tmp_path, NOW)
    assert caught.value.field == "path"
