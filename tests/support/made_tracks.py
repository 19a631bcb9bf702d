"""Small real tracks for the library's tests."""

from pathlib import Path

import numpy as np

from lofi_daemon.audio.files import write_track
from lofi_daemon.library.identity import track_id
from lofi_daemon.library.tracks import Tracks
from lofi_daemon.model import AudioFormat, StageParams, Track

RATE = 8000


def made_track(seed: int = 1, prompt: str = "rainy night", seconds: float = 0.5, **more: object) -> Track:
    params = StageParams(backend="synth", prompt=prompt, duration_sec=30.0, seed=seed)
    fields = {
        "id": track_id(params, "test-1"),
        "path": "",
        "prompt": prompt,
        "duration_sec": seconds,
        "sample_rate": RATE,
        "channels": 1,
        "seed": seed,
        "backend": "synth",
        "model_version": "test-1",
        "generation_time_sec": 0.25,
        "created_at": f"2026-11-21T06:{seed // 60 % 60:02d}:{seed % 60:02d}.000Z",
        "params": params,
        "lufs": -16.0,
    }
    return Track(**{**fields, **more})


def tone(track: Track) -> np.ndarray:
    """A quiet sine, [frames, channels] float32."""
    time = np.arange(round(track.duration_sec * track.sample_rate)) / track.sample_rate
    wave = 0.25 * np.sin(2 * np.pi * 330.0 * time)
    return np.repeat(wave[:, None], track.channels, axis=1).astype(np.float32)


def staged(tracks: Tracks, track: Track, audio_format: AudioFormat = "flac") -> Path:
    path = tracks.staging() / f"{track.id}.{audio_format}"
    write_track(path, tone(track), track.sample_rate, track, audio_format)
    return path


def committed(
    tracks: Tracks, seed: int = 1, prompt: str = "rainy night", audio_format: AudioFormat = "flac", **more: object
) -> Track:
    track = made_track(seed, prompt, **more)
    return tracks.commit(track, staged(tracks, track, audio_format))
