import os
import stat
from pathlib import Path

import pytest
import soundfile
from support.made_tracks import committed, tone

from lofi_daemon.audio.files import FORMATS, read_track
from lofi_daemon.errors import LofiError
from lofi_daemon.library.export import file_name


@pytest.fixture
def kept(tracks):
    return committed(tracks, 1, "Rainy night: mellow Rhodes, 75 bpm!")


def refused(tracks, kept, path, audio_format=None):
    with pytest.raises(LofiError) as caught:
        tracks.export(kept.id, str(path), audio_format)
    return caught.value


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "cache")


@pytest.mark.parametrize("own", FORMATS)
@pytest.mark.parametrize("wanted", FORMATS)
def test_every_format_becomes_every_other_and_keeps_its_metadata(tracks, folder, own, wanted):
    kept = committed(tracks, 1, audio_format=own)
    at = tracks.export(kept.id, str(folder / f"out.{wanted}"))
    assert at == folder / f"out.{wanted}"
    assert read_track(at) == read_track(Path(kept.path))
    audio, rate = soundfile.read(at, always_2d=True)
    assert (rate, audio.shape) == (kept.sample_rate, tone(kept).shape)
    assert abs(abs(audio[1000:-1000]).max() - 0.25) < 0.05


def test_the_same_format_is_copied_byte_for_byte(tracks, folder, kept):
    at = tracks.export(kept.id, str(folder / "a.flac"))
    assert at.read_bytes() == Path(kept.path).read_bytes()


def test_the_users_umask_decides_who_may_read_it(tracks, folder, kept):
    old = os.umask(0o022)
    try:
        at = tracks.export(kept.id, str(folder / "a.ogg"))
    finally:
        os.umask(old)
    assert stat.S_IMODE(at.stat().st_mode) == 0o644


def test_a_folder_gets_a_readable_name_and_numbers(tracks, folder, kept):
    start = f"rainy-night-mellow-rhodes-75-bpm-{kept.id[:12]}"
    for path, name in (
        (folder, f"{start}.flac"),
        (f"{folder}/", f"{start}-2.flac"),
        (folder / "." / ".." / folder.name, f"{start}-3.flac"),
    ):
        assert tracks.export(kept.id, str(path)) == folder / name
    assert tracks.export(kept.id, str(folder), "mp3") == folder / f"{start}.mp3"


@pytest.mark.parametrize(
    ("prompt", "start"),
    [("../../etc/passwd", "etc-passwd"), ("☂ ☂", "track"), ("雨の夜 " * 50, "雨の夜"), ("\n.", "track")],
)
def test_no_prompt_makes_an_odd_file_name(tracks, folder, prompt, start):
    at = tracks.export(committed(tracks, 1, prompt).id, str(folder))
    assert at.parent == folder
    assert at.name.startswith(start)
    assert len(at.name.encode()) < 255
    assert file_name(read_track(at), "flac") == at.name


def test_home_is_expanded(tracks, kept):
    assert tracks.export(kept.id, "~/a.flac") == Path(os.environ["HOME"]).resolve() / "a.flac"


def test_the_ending_may_be_left_to_the_format(tracks, folder, kept):
    assert tracks.export(kept.id, str(folder / "a")).name == "a.flac"
    assert tracks.export(kept.id, str(folder / "b"), "ogg").name == "b.ogg"
    assert tracks.export(kept.id, str(folder / "mix v1.2"), "mp3").name == "mix v1.2.mp3"
    assert tracks.export(kept.id, str(folder / "c.MP3")).name == "c.MP3"
    assert soundfile.info(folder / "c.MP3").format == "MP3"


@pytest.mark.parametrize(
    ("name", "audio_format", "field"),
    [
        ("a.aac", None, "format"),
        ("a.mp3", "flac", "format"),
        ("missing/a.flac", None, "path"),
        ("missing/", None, "path"),
        ("a" * 300 + ".flac", None, "path"),
        ("a.flac/b.flac", None, "path"),
    ],
)
def test_bad_targets_are_named_and_leave_nothing(tracks, folder, kept, name, audio_format, field):
    (folder / "a.flac").write_bytes(b"mine")
    error = refused(tracks, kept, f"{folder}/{name}", audio_format)
    assert (error.name, error.field) == ("INVALID_PARAMS", field)
    assert names(folder) == ["a.flac"]


@pytest.mark.parametrize("path", ["", "  ", "a.flac", "./a.flac", "~nobody-of-that-name/a.flac", "/tmp/a\0.flac"])
def test_paths_that_mean_nothing_are_refused(tracks, kept, path):
    error = refused(tracks, kept, path)
    assert (error.name, error.field) == ("INVALID_PARAMS", "path")


@pytest.mark.parametrize("there", ["file", "link", "dangling link"])
def test_what_exists_is_never_replaced(tracks, folder, kept, there):
    target = folder / "a.flac"
    (folder / "mine").write_bytes(b"mine")
    if there == "file":
        target.write_bytes(b"mine")
    else:
        target.symlink_to(folder / ("mine" if there == "link" else "nowhere"))
    error = refused(tracks, kept, target)
    assert (error.name, error.field) == ("INVALID_PARAMS", "path")
    assert "exists" in error.message
    assert names(folder) == ["a.flac", "mine"]
    assert (folder / "mine").read_bytes() == b"mine"


def test_the_library_itself_is_no_target_by_any_way(tracks, root, folder, kept):
    (folder / "way").symlink_to(root)
    before = sorted(root.rglob("*"))
    for path in (root, root / "a.flac", root / "tracks" / ".." / "a.flac", folder / "way" / "tracks", kept.path):
        error = refused(tracks, kept, path)
        assert (error.name, error.field) == ("INVALID_PARAMS", "path")
    assert sorted(root.rglob("*")) == before


def test_a_damaged_track_is_said_and_leaves_nothing(tracks, folder, kept):
    whole = Path(kept.path).read_bytes()
    Path(kept.path).write_bytes(whole[: len(whole) // 2])
    error = refused(tracks, kept, folder / "a.mp3")
    assert error.name == "INVALID_TRACK_ID"
    assert names(folder) == []


def test_a_rate_that_mp3_has_not_is_said(tracks, folder):
    kept = committed(tracks, 1, sample_rate=96_000)
    error = refused(tracks, kept, folder / "a.mp3")
    assert (error.name, error.field) == ("UNSUPPORTED", "format")
    assert names(folder) == []
