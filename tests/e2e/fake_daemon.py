"""A daemon that does what a script says, for what a good daemon never does: split lines, garbage, sudden death.

    fake_daemon.py SCRIPT.json [flags of lofi-daemon, written to SCRIPT.json.args]

The script maps a method (or "start") to a list of actions: {"reply": result}, {"error": error},
{"notify": [method, params]}, {"raw": text}, {"stderr": text}, {"sleep": seconds}, {"exit": code}. "$job" and
"$prompt" stand for those of the request, {"times": N, "notify": …} repeats. With "chunk": N everything is written
N bytes at a time.
"""

import json
import os
import sys
import time
from pathlib import Path

path = Path(sys.argv[1])
script = json.loads(path.read_text())
Path(f"{path}.args").write_text(json.dumps(sys.argv[2:]))
Path(f"{path}.pid").write_text(str(os.getpid()))
with Path(f"{path}.starts").open("a") as starts:
    starts.write(f"{os.getpid()}\n")

DEFAULTS = {
    "ping": [{"reply": {"status": "ok", "version": "fake", "protocol": 1, "pid": os.getpid()}}],
    "get_backends": [{"reply": {"backends": [], "default_backend": "synth"}}],
    "volume_get": [{"reply": {"level": 0.5}}],
}


def write(data: bytes) -> None:
    size = script.get("chunk", len(data)) or 1
    for start in range(0, len(data), size):
        os.write(1, data[start : start + size])
        if "chunk" in script:
            time.sleep(0.001)


def say(message: dict) -> None:
    write(json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode() + b"\n")


def act(actions: list, request: dict) -> None:
    params = request.get("params") or {}
    for action in actions:
        text = json.dumps(action)
        for name in ("job_id", "prompt"):
            text = text.replace("$" + name.removesuffix("_id"), str(params.get(name, "")))
        action = json.loads(text)
        if "reply" in action:
            say({"id": request["id"], "result": action["reply"]})
        elif "error" in action:
            say({"id": request["id"], "error": action["error"]})
        elif "notify" in action:
            method, notified = action["notify"]
            for _ in range(action.get("times", 1)):
                say({"method": method, "params": notified})
        elif "raw" in action:
            write(action["raw"].encode())
        elif "stderr" in action:
            os.write(2, action["stderr"].encode())
        elif "sleep" in action:
            time.sleep(action["sleep"])
        elif "exit" in action:
            os._exit(action["exit"])


act(script.get("start", []), {})
for line in sys.stdin:
    request = json.loads(line)
    with Path(f"{path}.heard").open("a") as heard:
        heard.write(line)
    act(script.get(request["method"], DEFAULTS.get(request["method"], [])), request)
