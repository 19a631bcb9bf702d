"""The child that fetches: `python -m lofi_daemon.models.fetch`, one order on stdin, what happens on stdout.

It may be killed at any byte. A part's folder in the models folder holds, meanwhile, `.partial/`: the plan, whole files
under their names, and the one on its way as NAME.part. The lock is written when all files have been moved out of it.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
import urllib.error
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from ..engine.manners import NICE_VARIABLE, give_way
from ..errors import LofiError
from ..library.durable import make_folder, move_into
from ..library.lock import FileLock
from . import hub as hubs
from .catalogue import Part
from .files import component
from .hub import Hub, failed
from .link import Failed, Finished, FromChild, Order, Progress, decode_order, encode
from .lock import (
    LOCK_NAME,
    PARTIAL_NAME,
    PLAN_NAME,
    Lock,
    LockedFile,
    Plan,
    PlannedFile,
    has_size,
    is_whole,
    read_lock,
    read_plan,
    sha256_of,
    write_json,
)
from .store import hub_cache, look_part
from .transfer import TROUBLE, Transfer, disk_errors, what_happened
from .web import Web

LOCK_FILE = ".download.lock"
SPARE_BYTES = 100_000_000
"""Left free on the disk: a full one troubles more than us."""
TELL_EVERY_SEC = 0.1
ASK_TRIES = 2

Say = Callable[[FromChild], None]


class Tally:
    """Counts bytes and files, and says so at most every ``TELL_EVERY_SEC``."""

    def __init__(self, plans: list[Plan], say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._told_at = float("-inf")
        self._here: dict[tuple[str, str], int] = {}
        self._totals: dict[str, int] = {}
        self._done_of: dict[str, int] = {}
        for plan in plans:
            for file in plan.files:
                name = component(file.path)
                self._totals[name] = self._totals.get(name, 0) + file.size
        self.total = sum(self._totals.values())
        self.done = 0
        self._fetched = 0
        self._files = 0
        self._files_total = sum(len(plan.files) for plan in plans)

    def count(self, plan: Plan, file: PlannedFile, here: int, fetched: int, whole: bool = False) -> None:
        """``here``: how much of ``file`` there is now; ``fetched``: what just came over the network."""
        key, name = (plan.repo, file.path), component(file.path)
        more = here - self._here.get(key, 0)
        self._here[key] = here
        self.done += more
        self._done_of[name] = self._done_of.get(name, 0) + more
        self._fetched += fetched
        self._files += whole
        now = self._clock()
        if now - self._told_at >= TELL_EVERY_SEC or (whole and self._files == self._files_total):
            self._told_at = now
            self._say(
                Progress(
                    file.path, name, self._done_of[name], self._totals[name],
                    self.done, self.total, self._fetched, self._files, self._files_total,
                )
            )  # fmt: skip


def fetch(order: Order, say: Say, sleep: Callable[[float], None] = time.sleep) -> None:
    """All parts of ``order``, each complete and locked. Raises MODEL_DOWNLOAD_FAILED."""
    root = Path(order.root)
    with disk_errors(root):
        make_folder(root)
    held = FileLock(root / LOCK_FILE)
    with disk_errors(root):
        if not held.try_acquire():
            raise failed(f"Another lofi daemon is fetching into {root}; wait for it, then ask again.")
    try:
        tally: Tally | None = None
        try:
            address = hubs.endpoint()
            web = Web(address, hubs.token(), order.patience.timeout_sec)
            hub = Hub(address, web)
            transfer = Transfer(hub, web, order.patience, sleep)
            open_parts = [part for part in order.parts if look_part(part, root, hub_cache()).status != "ready"]
            plans = [_plan(part, root / part.folder, hub, transfer, sleep) for part in open_parts]
            tally = Tally(plans, say)
            lacking = [(plan, file) for plan in plans for file in _lacking(plan, root, tally)]
            _require_room(root, lacking)
            for plan, file in lacking:
                _get(plan, file, root, transfer, tally)
            for plan in plans:
                _complete(plan, root)
        except LofiError as error:
            raise failed(error.message + _kept(tally)) from error
        say(Finished(tally.total))
    finally:
        held.release()


def _plan(part: Part, folder: Path, hub: Hub, transfer: Transfer, sleep: Callable[[float], None]) -> Plan:
    """The plan that was begun, else a new one; a further part of a locked repository is of the same commit."""
    begun, lock = read_plan(folder), read_lock(folder)
    if begun and begun.repo == part.repo and set(part.patterns) <= set(begun.patterns):
        return begun
    patterns = {*part.patterns, *(begun.patterns if begun else ()), *(lock.patterns if lock else ())}
    whole = Part(part.repo, tuple(sorted(patterns)), part.needs, part.revisions)
    plan = _ask(whole, lock.commit if lock else begun.commit if begun else None, hub, transfer, sleep)
    with disk_errors(folder):
        if (begun is None or begun.commit != plan.commit) and (folder / PARTIAL_NAME).exists():
            shutil.rmtree(folder / PARTIAL_NAME)  # of another commit
        make_folder(folder / PARTIAL_NAME)
        write_json(folder / PARTIAL_NAME / PLAN_NAME, plan)
    return plan


def _ask(part: Part, commit: str | None, hub: Hub, transfer: Transfer, sleep: Callable[[float], None]) -> Plan:
    for tried in range(1, ASK_TRIES + 1):
        asked = None
        try:
            return hub.plan(part, commit)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404 and commit:
                return _ask(part, None, hub, transfer, sleep)
            if final := hub.refusal(error, part.repo):
                raise final from None
            trouble = f"answers {error.code} {error.reason}"
            retry_after = error.headers.get("Retry-After") or ""
            asked = float(retry_after) if retry_after.isdigit() else None
        except TROUBLE as error:
            trouble = what_happened(error, hub.name)
        if tried < ASK_TRIES:
            sleep(transfer.pause(tried, asked))
    raise failed(f"{hub.name} {trouble}; check the network, then ask again.")


def _lacking(plan: Plan, root: Path, tally: Tally) -> list[PlannedFile]:
    """What is not here yet, or not in the shape it should be."""
    folder = root / plan.repo.replace("/", "--")
    lock = read_lock(folder)
    locked = {file.path: file for file in lock.files} if lock and lock.commit == plan.commit else {}
    lacking = []
    for file in plan.files:
        known = locked.get(file.path)
        fetched = has_size(folder / PARTIAL_NAME / file.path, file.size)
        if fetched or (has_size(folder / file.path, file.size) and (known or _is_sound(folder / file.path, file))):
            tally.count(plan, file, file.size, 0, whole=True)
        else:
            part = folder / PARTIAL_NAME / f"{file.path}.part"
            tally.count(plan, file, min(part.stat().st_size, file.size) if part.is_file() else 0, 0)
            lacking.append(file)
    return lacking


def _is_sound(path: Path, file: PlannedFile) -> bool:
    return file.sha256 is not None and sha256_of(path) == file.sha256


def _require_room(root: Path, lacking: list[tuple[Plan, PlannedFile]]) -> None:
    need = 0
    for plan, file in lacking:
        part = root / plan.repo.replace("/", "--") / PARTIAL_NAME / f"{file.path}.part"
        need += file.size - (min(part.stat().st_size, file.size) if part.is_file() else 0)
    with disk_errors(root):
        free = shutil.disk_usage(root).free
    if need and free < need + SPARE_BYTES:
        raise failed(
            f"{need / 1e9:.1f} GB are to be fetched and {free / 1e9:.1f} GB are free in {root}; free some space, or "
            "set model_path (ace_step_model_dir) to a folder on another disk."
        )


def _get(plan: Plan, file: PlannedFile, root: Path, transfer: Transfer, tally: Tally) -> None:
    target = root / plan.repo.replace("/", "--") / PARTIAL_NAME / file.path
    transfer.fetch(plan, file, target, lambda here, fetched: tally.count(plan, file, here, fetched))
    tally.count(plan, file, file.size, 0, whole=True)


def _complete(plan: Plan, root: Path) -> None:
    """Move everything into place and lock it."""
    folder = root / plan.repo.replace("/", "--")
    partial = folder / PARTIAL_NAME
    with disk_errors(folder):
        lock = read_lock(folder)
        if lock and (lock.commit != plan.commit or not is_whole(lock, folder)):
            (folder / LOCK_NAME).unlink()
        for file in plan.files:
            if has_size(partial / file.path, file.size):
                make_folder((folder / file.path).parent)
                move_into(partial / file.path, folder / file.path)
        files = tuple(_locked(file, folder) for file in plan.files)
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        write_json(folder / LOCK_NAME, Lock(plan.repo, plan.commit, plan.patterns, files, now))
        shutil.rmtree(partial, ignore_errors=True)


def _locked(file: PlannedFile, folder: Path) -> LockedFile:
    if file.sha256 is not None:
        return LockedFile(file.path, file.size, file.sha256, "hub-sha256")
    own = sha256_of(folder / file.path)
    if own is None:
        raise failed(f"{folder / file.path} cannot be read back; check the disk, then ask again.")
    return LockedFile(file.path, file.size, own, "hub-git-sha1")


def _kept(tally: Tally | None) -> str:
    if tally is None or not tally.done:
        return ""
    return f" What is here ({100 * tally.done // tally.total} %) is kept; the next download goes on from there."


def main() -> None:
    out = sys.stdout.buffer

    def say(message: FromChild) -> None:
        try:
            out.write(encode(message))
            out.flush()
        except BrokenPipeError:
            os._exit(1)

    order = decode_order(sys.stdin.buffer.readline())
    threading.Thread(target=_leave_with_front, daemon=True).start()
    give_way(int(os.environ.get(NICE_VARIABLE, "0")))
    try:
        fetch(order, say)
    except LofiError as error:
        say(Failed(error.name, error.message))


def _leave_with_front() -> None:
    """Nothing more is said on stdin: its end is the front's.

    Read without Python's buffer, whose lock would be missing when the interpreter ends.
    """
    while os.read(0, 1024):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
