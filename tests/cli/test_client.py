"""The blocking client, against daemons of a few lines that misbehave as told."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading

import pytest
from support.raw_daemon import PUPPET

from lofi_daemon.client import DaemonClient, DaemonGoneError, Notification, open_log, wire_error
from lofi_daemon.errors import LofiError

PRELUDE = """
import json, sys, time, os
def say(**message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\\n"); sys.stdout.flush()
def hear():
    return json.loads(sys.stdin.readline())
"""


def daemon(body: str, **more: object) -> DaemonClient:
    return DaemonClient(command=(sys.executable, "-c", PRELUDE + body), **more)  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_real_daemon_answers_and_leaves_no_process_or_thread(tmp_path):
    before = threading.active_count()
    command = (*PUPPET, "player.output=none", f"cache.dir={tmp_path}")
    with DaemonClient(command=command) as client:
        assert client.request("ping")["status"] == "ok"
        pid = client.pid
        assert pid is not None and alive(pid)
    assert not alive(pid)
    assert threading.active_count() == before


def test_an_error_comes_back_as_the_exception_it_was(tmp_path):
    command = (*PUPPET, "player.output=none", f"cache.dir={tmp_path}")
    with DaemonClient(command=command) as client, pytest.raises(LofiError) as raised:
        client.request("generate", {"prompt": "rain", "duration_sec": 4000})
    assert (raised.value.name, raised.value.code, raised.value.field) == ("INVALID_DURATION", -32005, "duration_sec")
    assert raised.value.details["got"] == 4000


def test_a_line_that_comes_in_pieces_is_one_message():
    body = """
hear()
text = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"name": "ré" * 100000}}, ensure_ascii=False).encode() + b"\\n"
for i in range(0, len(text), 7001):
    os.write(1, text[i:i + 7001])
hear()
"""
    with daemon(body) as client:
        assert client.request("any") == {"name": "ré" * 100000}


def test_replies_find_their_requests_in_any_order():
    body = """
a, b = hear(), hear()
say(id=b["id"], result=b["params"]["x"]); say(id=a["id"], result=a["params"]["x"])
sys.stdin.read()
"""
    with daemon(body) as client:
        results: dict[int, object] = {}

        def ask(x: int) -> None:
            results[x] = client.request("any", {"x": x})

        threads = [threading.Thread(target=ask, args=(x,)) for x in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    assert results == {1: 1, 2: 2}


def test_notifications_wait_in_order_and_no_news_is_none():
    body = """
say(method="a", params={"n": 1}); say(method="b", params=None); say(id=hear()["id"], result=None); sys.stdin.read()
"""
    with daemon(body) as client:
        client.request("any")
        assert client.next_notification(60) == Notification("a", {"n": 1})
        assert client.next_notification(60) == Notification("b", {})
        assert client.next_notification(0) is None


def test_notifications_can_go_to_a_callback():
    heard: queue.SimpleQueue[Notification] = queue.SimpleQueue()
    with daemon('say(method="a", params={"n": 1}); sys.stdin.read()', on_notification=heard.put):
        assert heard.get(timeout=60) == Notification("a", {"n": 1})


def test_garbage_on_the_link_is_passed_over():
    with daemon(
        'ident = hear()["id"]; print("[1]"); print("oops"); print(); say(id="x"); say(id=ident, result=3)'
    ) as client:
        assert client.request("any") == 3


def test_a_daemon_that_dies_while_asked_is_named_with_its_log(tmp_path):
    log = tmp_path / "logs" / "daemon.log"
    body = 'hear(); print("Traceback: the details", file=sys.stderr); sys.exit(3)'
    with daemon(body, log=log) as client:
        with pytest.raises(DaemonGoneError, match=str(log)) as raised:
            client.request("any")
        assert raised.value.details == {"exit_code": 3}
        assert "details" not in str(raised.value)
        with pytest.raises(DaemonGoneError):
            client.request("any")
        with pytest.raises(DaemonGoneError):
            client.next_notification()
    assert "the details" in log.read_text()


def test_a_daemon_that_cannot_be_started_is_a_named_error():
    client = DaemonClient(command=("/nowhere/lofi-daemon",))
    with pytest.raises(DaemonGoneError, match="could not be started"), client:
        pass
    assert threading.active_count() == 1 or all("lofi" not in thread.name for thread in threading.enumerate())


def test_a_daemon_that_does_not_answer_in_time_is_named_and_the_next_reply_is_not_mixed_up():
    body = """
late, second = hear()["id"], hear()["id"]
say(id=late, result="late"); say(id=second, result="second"); hear()
"""
    with daemon(body) as client:
        with pytest.raises(DaemonGoneError, match="no answer to slow"):
            client.request("slow", timeout=0.05)
        assert client.request("quick") == "second"


def test_one_that_ignores_the_end_of_its_stdin_is_ended_by_force():
    with daemon('say(method="up"); time.sleep(600)') as client:
        client.next_notification(60)
        pid = client.pid
        client.close(timeout=0.2)
    assert pid is not None and not alive(pid)


def test_ctrl_c_at_the_keyboard_does_not_reach_the_daemon():
    with daemon("say(method='group', params={'id': os.getpgid(0)}); sys.stdin.read()") as client:
        notification = client.next_notification(60)
        assert notification and notification.params["id"] != os.getpgid(0)


def test_an_unwritable_log_does_not_keep_the_daemon_from_starting(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with daemon('say(id=hear()["id"], result=1)', log=blocked / "daemon.log") as client:
        assert client.request("any") == 1


def test_a_log_that_has_grown_large_is_begun_anew(tmp_path):
    log = tmp_path / "daemon.log"
    log.write_bytes(b"x" * 1_000_001)
    with open_log(log) as file:
        file.write(b"fresh\n")
    with open_log(log) as file:
        file.write(b"more\n")
    assert log.read_bytes() == b"fresh\nmore\n"


def test_an_error_this_client_does_not_know_is_kept_under_an_own_name():
    error = wire_error({"code": -32099, "message": "New.", "data": {"code": "BRAND_NEW", "details": {"a": 1}}})
    assert (error.name, error.message, error.details) == ("INTERNAL_ERROR", "New.", {"error": "BRAND_NEW", "a": 1})


def test_importing_the_command_line_loads_nothing_slow():
    code = "import sys, lofi_daemon.client, lofi_daemon.cli; print({'asyncio', 'msgspec', 'numpy'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
