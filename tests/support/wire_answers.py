"""What a daemon with a few tracks and one device answers, for the fake one (e2e/fake_daemon.py)."""

PLAYING = {"state": "playing", "volume": 0.5, "track_id": f"{1:064x}"}


def track(number, **more):
    return {
        "id": f"{number:064x}", "path": f"/music/{number}.flac", "prompt": f"rain {number}", "duration_sec": 90,
        "sample_rate": 48000, "channels": 2, "seed": number, "backend": "synth", "model_version": "1",
        "generation_time_sec": 1, "created_at": "2026-01-02T03:04:05Z",
        "params": {"prompt": f"rain {number}", "bpm": 75, "keyscale": "D minor"}, "parent_ids": [], "favorite": False,
    } | more  # fmt: skip


DEVICES = {
    "devices": [{"id": "7", "name": "Speakers", "is_default": True, "output": "x"}],
    "current": "7",
    "chosen": "",
}


def backend(kind, name, status, **more):
    return {
        "type": kind, "name": name, "status": status, "min_duration_sec": 5, "max_duration_sec": 600,
        "sample_rate": 48000, "model_version": "1", "stage_types": ["generate"], "models": [], "extra": None,
        "packages": True, "weights": [],
    } | more  # fmt: skip


WEIGHTS = {
    "model": "small", "repo": "someone/small", "license": "CC-BY-NC 4.0", "bytes": 10**9, "status": "absent",
    "bytes_here": 0, "path": None, "commit": None, "default": True,
}  # fmt: skip
BACKENDS = {
    "backends": [
        backend("synth", "Built-in composer", "ready"),
        backend("musicgen", "MusicGen", "not_installed", extra="musicgen", packages=False, models=["small"],
                weights=[WEIGHTS]),
    ],
    "default_backend": "synth",
}  # fmt: skip
ENTRIES = [{"track_id": f"{n:064x}", "prompt": f"rain {n}", "duration_sec": 90} for n in (1, 2)]
PLAYLIST = {"tracks": ENTRIES, "index": None, "loop": "off", "shuffle": False}
RADIO = {"active": True, "strategy": "preset_cycle", "preset": "study", "generating": False}
PAUSED = {"state": "paused", "position_sec": 5, "duration_sec": 90, "track_id": f"{1:064x}", "volume": 0.5,
          "crossfade_sec": 6, "loop": "off", "shuffle": False, "playlist_length": 2}  # fmt: skip
STATUS = {
    "playback": PAUSED, "generation": None, "queue": {"pending": []},
    "cache": {"count": 2, "bytes": 100, "max_bytes": None, "oldest": None, "newest": None},
    "engine": {"device": "cpu", "execution_mode": "cpu_only", "loaded": []},
    "radio": None, "sleep": {"ends_in_sec": None}, "focus": {"active": False},
}  # fmt: skip
SCRIPT = {
    "status": [{"reply": STATUS}],
    "cache_list": [{"reply": {"tracks": [track(1, favorite=True), track(2, prompt="a 夜\nlong")], "total": 2}}],
    "playlist_get": [{"reply": PLAYLIST}],
    "presets_list": [{"reply": {"presets": [{"name": "rainy-night", "prompt": "rain"},
                                            {"name": "study", "prompt": "soft piano"}]}}],
    "get_backends": [{"reply": BACKENDS}],
    "audio_devices": [{"reply": DEVICES}],
    "audio_device_set": [{"reply": DEVICES | {"chosen": "7"}}],
    "play": [{"reply": PLAYING}],
    "radio_start": [{"reply": RADIO}],
}  # fmt: skip
