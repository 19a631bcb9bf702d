"""Tracks that go on from one another through files and the whole player: as if they had never been cut."""

import numpy as np
import pytest
import soxr
from player.test_player import FADE, RATE
from player.test_program import on_stage
from support.sound import save

from lofi_daemon.model import StageParams, Track
from lofi_daemon.player.events import PlaybackStarted
from lofi_daemon.player.joins import shared_sec_of
from lofi_daemon.player.playlist import Item, item_of

OURS = 32_000
"""MusicGen's rate; the device has another."""
OVERLAP_SEC = 2


def chord(seconds):
    """A minor chord that swells, so that no moment is like another: [frames], float32."""
    time = np.arange(round(seconds * OURS)) / OURS
    tones = sum(np.sin(2 * np.pi * hertz * time + hertz) for hertz in (110.0, 261.63, 329.63, 1046.5))
    return (0.12 * tones * np.linspace(0.5, 1.0, len(time))).astype(np.float32)


def track_of(path, track_id, seconds, parent=None):
    more = {"stage_type": "continue", "src_audio_id": parent, "overlap_sec": OVERLAP_SEC} if parent else {}
    params = StageParams(backend="musicgen", prompt="rain", duration_sec=seconds, seed=1, **more)
    return Track(
        id=track_id, path=str(path), prompt="rain", duration_sec=seconds, sample_rate=OURS, channels=1, seed=1,
        backend="musicgen", model_version="v", generation_time_sec=1, created_at="", params=params,
    )  # fmt: skip


@pytest.fixture
def cut(tmp_path):
    """The chord as tracks that end at these seconds, each going on from the one before: the chord as the device hears
    it, and items of the playlist."""

    def cut(*ends):
        whole = chord(ends[-1])
        items, start, parent = [], 0.0, None
        for number, end in enumerate(ends):
            path = save(tmp_path / f"{number}.wav", whole[round(start * OURS) : round(end * OURS), None], OURS, "FLOAT")
            items.append(item_of(track_of(path, f"track{number}", end - start, parent)))
            start, parent = end - OVERLAP_SEC, f"track{number}"
        return soxr.resample(whole, OURS, RATE), items

    return cut


@pytest.mark.parametrize("crossfade_sec", [0, 0.5, 6])
def test_whatever_the_crossfade_the_music_goes_on_without_a_join(cut, crossfade_sec):
    whole, items = cut(4, 6.5)

    async def scene(stage, player):
        await player.add(items)
        await player.start()
        heard = await stage.hear(round(6.3 * RATE))
        assert np.abs(heard[FADE:] - whole[FADE : len(heard), None]).max() < 2e-4
        assert [event.track_id for event in stage.of(PlaybackStarted)] == ["track0", "track1"]

    on_stage(scene, crossfade_sec=crossfade_sec)


def test_a_change_of_the_crossfade_leaves_it_alone_and_a_seek_near_the_end_too(cut):
    whole, items = cut(4, 6.5)

    async def scene(stage, player):
        await player.add(items)
        await player.start()
        await stage.settle()
        await player.set_crossfade(4)
        await player.seek(3.0)
        await stage.hear(2 * FADE)
        await stage.settle()
        begun = {"track0": 0, "track1": 4 - OVERLAP_SEC}
        at = begun[player.state().track_id] + player.state().position_sec
        heard = await stage.hear(2 * RATE)
        await stage.until(lambda: player.state().track_id == "track1")
        at = round(at * RATE)
        assert np.abs(heard - whole[at : at + len(heard), None]).max() < 2e-3

    on_stage(scene, crossfade_sec=6)


def test_after_another_track_it_is_crossed_into_as_any_other(cut, tmp_path):
    _, items = cut(4, 6.5)
    other = Item("other", str(save(tmp_path / "other.wav", chord(4)[:, None], OURS, "FLOAT")), "", 4.0)
    assert shared_sec_of(items[0], items[1]) == OVERLAP_SEC
    assert shared_sec_of(other, items[1]) == shared_sec_of(items[1], items[0]) == 0

    async def scene(stage, player):
        await player.add([other, items[1]])
        await player.start()
        await stage.hear(round(3.9 * RATE))
        await stage.settle()
        assert player.state().track_id == "other", "the crossfade is short, the overlap is not"
        await stage.hear(RATE // 2)
        await stage.until(lambda: player.state().track_id == "track1")

    on_stage(scene, crossfade_sec=0.05)
