"""A daemon with a library of N tracks that are not there, for what a large one does to the editor.

    many_tracks.py N [flags of lofi-daemon, passed over]

Its tracks are as long on the wire as those of the composer. It answers what the library asks for; deletions and
favourites are told as `library_changed`. For every `ping` with `come: n` it tells of n new tracks.
"""

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime

COUNT = int(sys.argv[1])
PROMPTS = ("rainy night, mellow rhodes, 75 bpm", "piano ballad", "雨の夜 ピアノ 🌧️ slow", "dusty boom bap, vinyl " * 8)
NOW = time.time()


def track(number: int) -> dict:
    ident = hashlib.sha256(str(number).encode()).hexdigest()
    made = datetime.fromtimestamp(NOW - 600 * (COUNT - number), UTC)
    sections = [{"name": name, "start_sec": 15.437, "duration_sec": 24.836} for name in ("intro", "A", "B", "outro")]
    prompt = f"{PROMPTS[number % len(PROMPTS)]} no. {number}"
    return {
        "id": ident, "path": f"/home/somebody/.cache/lofi.nvim/tracks/{ident[:2]}/{ident}.flac", "prompt": prompt,
        "duration_sec": 30.0 + number % 300, "sample_rate": 44100, "channels": 2, "seed": number, "backend": "synth",
        "model_version": "synth-1", "generation_time_sec": 1.6, "created_at": f"{made:%Y-%m-%dT%H:%M:%S}.000Z",
        "params": {"backend": "synth", "prompt": prompt, "duration_sec": 30.0, "seed": number, "instrumental": True},
        "lm_metadata": {"bpm": 77.31, "keyscale": "Bb major", "timesignature": "4/4", "sections": sections},
        "parent_ids": [], "lufs": -16.0, "favorite": number % 10 == 0,
    }  # fmt: skip


tracks = {made["id"]: made for made in (track(number) for number in range(COUNT))}
"""The oldest first."""


def say(**message: object) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def changed(*some: dict, removed: Sequence[str] = ()) -> None:
    say(method="library_changed", params={"changed": some, "removed": removed, "reset": False})


def answer(method: str, params: dict) -> tuple[object, list]:
    """The result, and the arguments of `changed` for what it did."""
    if method == "ping":
        came = [track(number) for number in range(len(tracks), len(tracks) + params.get("come", 0))]
        tracks.update((one["id"], one) for one in came)
        return {"status": "ok", "version": "many", "protocol": 1, "pid": 0}, came
    if method == "cache_list":
        there = list(tracks.values())
        shown = there if params.get("sort") == "oldest" else there[::-1]
        first = params.get("offset", 0)
        return {"tracks": shown[first : first + params["limit"]], "total": len(tracks)}, []
    if method == "cache_get":
        return tracks[params["track_id"]], []
    if method == "cache_delete":
        deleted = [ident for ident in params["track_ids"] if tracks.pop(ident, None)]
        return {"deleted": deleted}, []
    if method == "track_favorite":
        tracks[params["track_id"]]["favorite"] = params["favorite"]
        return tracks[params["track_id"]], [tracks[params["track_id"]]]
    return {"backends": [], "default_backend": "synth", "level": 0.5, "tracks": [], "loop": "off", "shuffle": False}, []


for line in sys.stdin:
    request = json.loads(line)
    result, new = answer(request["method"], request.get("params") or {})
    say(id=request["id"], result=result)
    if new or request["method"] == "cache_delete":
        changed(*new, removed=result["deleted"] if request["method"] == "cache_delete" else ())
