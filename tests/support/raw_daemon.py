"""A daemon at the end of two pipes, spoken to in raw lines: what a client of any language would see."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path

PUPPET = (sys.executable, str(Path(__file__).with_name("puppet_daemon.py")))
REAL = (sys.executable, "-m", "lofi_daemon", "--stdio", "--set", "player.output=none")
ENDINGS = ("generation_complete", "generation_error", "generation_cancelled")


class RawDaemon:
    """``heard`` keeps every message in the order it came, replies and notifications alike."""

    def __init__(self, cache: Path, command: tuple[str, ...] = PUPPET, *settings: str, env: dict | None = None):
        if command == PUPPET:
            settings = ("player.output=none", *settings)
        else:
            settings = tuple(word for setting in settings for word in ("--set", setting))
        self.process = subprocess.Popen(
            [*command, *settings],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"LOFI_CACHE_PATH": str(cache)} | (env or {}),
        )
        self.heard: list[dict] = []
        self.log = b""
        self._new: queue.Queue[dict | None] = queue.Queue()
        self._next_id = 0
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._read_log, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            message = json.loads(line)  # anything that is no JSON line fails the test loudly
            self.heard.append(message)
            self._new.put(message)
        self._new.put(None)

    def _read_log(self):
        for line in self.process.stderr:
            self.log += line

    def write(self, data: bytes):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, method, params=None, ident=None):
        self._next_id += 1
        ident = self._next_id if ident is None else ident
        message = {"jsonrpc": "2.0", "id": ident, "method": method} | ({} if params is None else {"params": params})
        self.write(json.dumps(message).encode() + b"\n")
        return ident

    def wait(self, condition, timeout=60.0):
        """The first message, past or future, for which ``condition`` holds."""
        end, seen = time.monotonic() + timeout, 0
        while True:
            for message in self.heard[seen:]:
                seen += 1
                if condition(message):
                    return message
            left = end - time.monotonic()
            if left <= 0 or (self.process.poll() is not None and seen == len(self.heard)):
                raise AssertionError(f"never heard; heard {self.heard[-10:]}; log {self.log.decode()[-2000:]}")
            try:
                self._new.get(timeout=min(left, 0.2))
            except queue.Empty:
                continue

    def call(self, method, params=None):
        """The whole reply."""
        ident = self.send(method, params)
        return self.wait(lambda m: m.get("id") == ident)

    def result(self, method, params=None):
        reply = self.call(method, params)
        assert "result" in reply, reply
        return reply["result"]

    def error(self, method, params=None):
        reply = self.call(method, params)
        assert "error" in reply, reply
        return reply["error"]

    def end_of(self, job_id, timeout=100.0):
        """The job's one ending."""
        return self.wait(lambda m: m.get("method") in ENDINGS and m["params"]["job_id"] == job_id, timeout)

    def notifications(self, method=None):
        return [m for m in self.heard if "method" in m and method in (None, m["method"])]

    def close(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
