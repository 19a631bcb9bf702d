"""Downloads against a hub that drops, lies and serves damaged bytes, up to the lock."""

from __future__ import annotations

import hashlib
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
from support.fake_hub import COMMIT, OTHER_COMMIT, musicgen_files

from lofi_daemon.errors import LofiError
from lofi_daemon.library.lock import FileLock
from lofi_daemon.models import catalogue, fetch, link, lock, store

REPO = "facebook/musicgen-small"
BIG = "model.safetensors"
FILES = musicgen_files()


class Run:
    """One download into ``root``; ``slept`` are the pauses it asked for."""

    def __init__(self, root: Path, backend: str = "musicgen", model: str | None = None, tries: int = 5) -> None:
        self.root = root
        self.weights = catalogue.find(backend, model)
        self.folder = root / self.weights.parts[0].folder
        self.said: list[link.FromChild] = []
        self.slept: list[float] = []
        self.patience = link.Patience(tries=tries)

    def __call__(self) -> Run:
        fetch.fetch(link.order_for(self.weights, self.root, self.patience), self.said.append, self.slept.append)
        return self

    def fails(self) -> str:
        with pytest.raises(LofiError) as error:
            self()
        assert error.value.name == "MODEL_DOWNLOAD_FAILED"
        return error.value.message

    @property
    def status(self) -> str:
        return store.look(self.weights, self.root).status

    def content(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()


@pytest.fixture
def run(hub, tmp_path) -> Run:
    return Run(tmp_path / "models")


def begin(run: Run, hub, size: int = 100_000) -> None:
    """Leave the first ``size`` bytes of the large file behind."""
    hub.tricks[BIG] = [f"drop {size}", "status 500"]
    run.fails()
    hub.tricks[BIG] = ["ok"]
    hub.asked.clear()


def test_what_is_whole_and_checked_is_locked_at_its_commit(run):
    run()
    assert run.status == "ready"
    locked = lock.read_lock(run.folder)
    assert (locked.repo, locked.commit) == (REPO, COMMIT)
    by_path = {file.path: file for file in locked.files}
    assert by_path[BIG].verified_by == "hub-sha256"
    assert by_path["config.json"].verified_by == "hub-git-sha1"
    for path, file in by_path.items():
        assert file.sha256 == hashlib.sha256(run.content(path)).hexdigest()
    assert isinstance(run.said[-1], link.Finished)


def test_only_safetensors_and_text_are_fetched_and_no_tensor_twice(run):
    run()
    here = {path.name for path in run.folder.rglob("*") if path.is_file()} - {lock.LOCK_NAME}
    assert here == set(FILES) - {
        ".gitattributes", "README.md", "compression_state_dict.bin", "pytorch_model.bin", "model.fp32.safetensors",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tricks", "ranges"),
    [
        (["drop 100000", "ok"], [None, "bytes=100000-"]),
        (["drop 100000", "drop 50000", "ok"], [None, "bytes=100000-", "bytes=150000-"]),
        (["drop 100000", "norange"], [None, "bytes=100000-"]),
        (["drop 100000", "wrongrange", "ok"], [None, "bytes=100000-", "bytes=100000-"]),
        (["short", "ok"], [None, None]),
        (["gzip", "ok"], [None, None]),
        (["corrupt", "ok"], [None, None]),
        (["drop 100000", "corrupt", "ok"], [None, "bytes=100000-", None]),
        (["drop 100000", "status 416", "ok"], [None, "bytes=100000-", None]),
        (["status 503", "status 500", "ok"], [None, None, None]),
        (["drop 100000", "status 403", "ok"], [None, "bytes=100000-", "bytes=100000-"]),
    ],
)
def test_whatever_the_line_does_the_file_is_whole_in_the_end(run, hub, tricks, ranges):
    hub.tricks[BIG] = tricks
    run()
    assert run.content(BIG) == FILES[BIG]
    assert hub.ranges(BIG) == ranges


def test_silence_is_not_waited_for_forever(run, hub):
    hub.tricks[BIG] = ["slow 100000", "ok"]
    run.patience = link.Patience(timeout_sec=1.0)
    run()
    assert hub.ranges(BIG) == [None, "bytes=100000-"]


def test_a_hub_that_wants_a_pause_gets_it(run, hub):
    hub.tricks[BIG] = ["status 429 7", "ok"]
    run()
    assert run.slept == [7]


def test_the_pauses_grow_while_nothing_comes(run, hub):
    hub.tricks[BIG] = ["status 503"]
    assert f"answers 503 Service Unavailable, so {BIG} is not whole yet" in run.fails()
    assert run.slept == [1, 2, 4, 8]


def test_while_bytes_come_it_is_tried_as_often_as_it_takes(run, hub):
    hub.tricks[BIG] = ["drop 20000"]
    run()
    assert len(hub.ranges(BIG)) == 15 > run.patience.tries


def test_a_file_damaged_twice_is_named_and_not_kept(run, hub):
    hub.tricks[BIG] = ["corrupt"]
    assert f"{BIG} arrived damaged twice" in run.fails()
    assert run.status == "partial"
    assert not list(run.folder.rglob(f"{BIG}*"))


def test_damage_on_the_disk_is_found_when_a_download_goes_on(run, hub):
    begin(run, hub)
    part = run.folder / lock.PARTIAL_NAME / f"{BIG}.part"
    part.write_bytes(b"\0" + part.read_bytes()[1:])
    run()
    assert run.content(BIG) == FILES[BIG]


@pytest.mark.parametrize(("status", "told"), [(401, "HF_TOKEN"), (403, "accept its terms"), (404, "has no")])
def test_what_no_second_try_changes_is_said_at_once(run, hub, status, told):
    hub.listing_status = status
    assert told in run.fails()
    assert run.slept == []
    hub.listing_status, hub.resolve_status = 200, status
    assert told in run.fails()
    assert run.slept == []


def test_offline_is_a_sentence_and_what_is_here_is_kept(run, hub):
    begin(run, hub)
    hub.close()
    message = run.fails()
    assert "cannot be reached (Connection refused)" in message
    assert "What is here (33 %) is kept; the next download goes on from there." in message
    assert (run.folder / lock.PARTIAL_NAME / f"{BIG}.part").stat().st_size == 100_000


def test_offline_from_the_start_says_so_without_long_tries(run, hub):
    hub.close()
    assert "cannot be reached (Connection refused); check the network" in run.fails()
    assert len(run.slept) == 1


def test_a_download_that_was_begun_stays_on_its_commit(run, hub):
    begin(run, hub)
    hub.commit = OTHER_COMMIT
    run()
    assert {path.split("/")[4] for where, path, _ in hub.asked if where == "hub"} == {COMMIT}
    assert lock.read_lock(run.folder).commit == COMMIT


def test_where_that_commit_is_gone_nothing_of_it_is_mixed_with_the_next(run, hub):
    begin(run, hub)
    other = FILES | {BIG: bytes(reversed(FILES[BIG])), "config.json": FILES["config.json"].upper()}
    hub.repos[REPO], hub.commit = other, OTHER_COMMIT
    (run.folder / lock.PARTIAL_NAME / lock.PLAN_NAME).write_text("{")
    run()
    assert run.content(BIG) == other[BIG] and run.content("config.json") == other["config.json"]
    assert lock.read_lock(run.folder).commit == OTHER_COMMIT


def test_names_that_lead_out_of_the_folder_are_left_alone(run, hub, tmp_path):
    evil = ("../evil.json", "/evil.json", "a/../../evil.json", "..\\evil.json", "C:evil.json", ".git/evil.json")
    hub.repos[REPO] = FILES | dict.fromkeys(evil, b"{}")
    wide = catalogue.Part(REPO, ("*",), ("config.json",))
    order = link.Order("MusicGen", str(run.root), (wide,))
    fetch.fetch(order, run.said.append)
    assert not list(tmp_path.rglob("*evil*"))
    assert not any("evil" in path for _, path, _ in hub.asked)


def test_the_token_goes_to_the_hub_and_not_where_it_sends_us(run, hub, monkeypatch):
    hub.token = "hf_secret"
    assert "HF_TOKEN" in run.fails()
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.asked.clear()
    run()
    tokens = {where: {"Authorization" in head for at, _, head in hub.asked if at == where} for where in ("hub", "cdn")}
    assert tokens == {"hub": {True}, "cdn": {False}}


def test_a_hub_that_sends_us_where_it_is_not_safe_is_not_followed(run, hub):
    hub.send_to = "http://cdn.example"
    assert "sends us to http://cdn.example, which is not safe" in run.fails()
    assert run.slept == []


def test_a_proxy_is_not_asked_for_a_hub_on_this_machine(run, hub, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert run().status == "ready"


def test_a_token_is_also_read_where_the_hubs_own_tool_keeps_it(run, hub, isolated):
    hub.token = "hf_of_the_file"
    file = isolated / ".cache" / "huggingface" / "token"
    file.parent.mkdir(parents=True)
    file.write_text("hf_of_the_file\n")
    assert run().status == "ready"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("HF_ENDPOINT", "http://hub.example", "begins with https://"),
        ("HF_ENDPOINT", "ftp://127.0.0.1", "begins with https://"),
        ("HF_HUB_OFFLINE", "1", "HF_HUB_OFFLINE is set"),
    ],
)
def test_an_endpoint_that_must_not_be_asked_is_not(run, hub, monkeypatch, name, value, told):
    monkeypatch.setenv(name, value)
    assert told in run.fails()
    assert hub.asked == []


def test_a_disk_without_room_is_told_before_the_first_byte(run, hub, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1, 1, 50_000_000))
    assert "0.1 GB are free" in run.fails()
    assert hub.ranges(BIG) == []


def test_weights_of_which_main_has_only_pickles_come_from_the_converted_revision(hub, tmp_path):
    pickles = {path: content for path, content in FILES.items() if not path.endswith("safetensors")}
    hub.repos["facebook/musicgen-medium"] = pickles
    run = Run(tmp_path / "models", model="medium")
    assert "has no model*.safetensors" in run.fails()
    hub.revisions["facebook/musicgen-medium@refs/pr/10"] = pickles
    assert "has no model*.safetensors" in run.fails()
    hub.revisions["facebook/musicgen-medium@refs/pr/10"] = FILES
    run()
    assert run.content(BIG) == FILES[BIG]
    assert not list(run.folder.rglob("*.bin"))


def test_all_shards_come_and_one_that_is_missing_is_told(hub, tmp_path):
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    texts = {path: content for path, content in FILES.items() if path.endswith(".json")}
    hub.repos["facebook/musicgen-melody"] = texts | {names[0]: b"a" * 10}
    run = Run(tmp_path / "models", model="melody")
    assert f"has no {names[1]}" in run.fails()
    hub.repos["facebook/musicgen-melody"] |= {names[1]: b"b" * 10}
    run()
    assert run.content(names[1]) == b"b" * 10


ACE = {
    "acestep-5Hz-lm-1.7B/model.safetensors": b"planner" * 100,
    "acestep-v15-turbo/config.json": b"{}",
    "acestep-v15-turbo/model.safetensors": b"dit" * 100,
    "acestep-v15-turbo/modeling_acestep_v15_turbo.py": b"import os",
    "acestep-v15-turbo/silence_latent.pt": b"silence",
    "vae/config.json": b"{}",
    "vae/diffusion_pytorch_model.safetensors": b"vae" * 100,
    "Qwen3-Embedding-0.6B/config.json": b"{}",
    "Qwen3-Embedding-0.6B/merges.txt": b"a b",
    "Qwen3-Embedding-0.6B/model.safetensors": b"text" * 100,
}


def test_what_two_models_share_is_fetched_once_and_a_further_part_is_of_the_same_commit(hub, tmp_path):
    hub.repos["ACE-Step/Ace-Step1.5"] = ACE
    hub.repos["ACE-Step/acestep-v15-base"] = {
        "config.json": b"{}", "model.safetensors": b"base" * 100, "silence_latent.pt": b"silence", "x.py": b"",
    }  # fmt: skip
    root = tmp_path / "models"
    base = Run(root, "ace_step_15", "base")()
    assert base.status == "ready"
    turbo = Run(root, "ace_step_15", "turbo")
    assert turbo.status == "partial"
    hub.asked.clear()
    turbo()
    assert hub.ranges("diffusion_pytorch_model.safetensors") == []
    assert hub.asked[0][1].endswith(f"/revision/{COMMIT}")
    assert (turbo.status, base.status) == ("ready", "ready")
    here = {path.relative_to(turbo.folder).as_posix() for path in turbo.folder.rglob("*") if path.is_file()}
    assert here == set(ACE) - {
        "acestep-5Hz-lm-1.7B/model.safetensors", "acestep-v15-turbo/modeling_acestep_v15_turbo.py",
    } | {lock.LOCK_NAME}  # fmt: skip


def test_a_file_that_was_lost_is_all_that_is_fetched_again(run, hub):
    run()
    (run.folder / "tokenizer.json").unlink()
    assert run.status == "partial"
    hub.asked.clear()
    run()
    assert run.status == "ready"
    assert [path.rpartition("/")[2] for where, path, _ in hub.asked if where == "cdn"] == ["tokenizer.json"]


def test_a_file_that_rotted_is_fetched_again_once_the_lock_is_gone(run, hub):
    run()
    (run.folder / BIG).write_bytes(b"\0" * len(FILES[BIG]))
    locked = lock.read_lock(run.folder)
    assert lock.damaged_files(locked, run.folder) == (BIG,)
    (run.folder / lock.LOCK_NAME).unlink()
    run()
    assert run.content(BIG) == FILES[BIG]


def test_two_daemons_do_not_fetch_into_one_folder(run, hub):
    run.root.mkdir()
    other = FileLock(run.root / fetch.LOCK_FILE)
    assert other.try_acquire()
    assert "Another lofi daemon is fetching" in run.fails()
    other.release()
    assert run().status == "ready"


def test_bytes_and_files_are_counted_to_the_last(run, hub):
    hub.tricks[BIG] = ["drop 100000", "ok"]
    run()
    last = [message for message in run.said if isinstance(message, link.Progress)][-1]
    assert last.done == last.total == last.fetched == run.said[-1].total
    assert last.files_done == last.files_total == 8
