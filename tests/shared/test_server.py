"""One server for all bridges: found or started, shared, replaced, missed when it dies, gone when nobody needs it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import time

import pytest

from lofi_daemon import config
from lofi_daemon.shared.hello import Hello, decode_welcome, encode

ROUNDS = 10
BRIDGES = 8


def pid_of(bridge):
    return bridge.result("ping")["pid"]


def notices(bridge):
    return [m["params"]["message"] for m in bridge.notifications("engine_notice")]


def wait_for_notice(bridge, text):
    return bridge.wait(lambda m: m.get("method") == "engine_notice" and text in m["params"]["message"])["params"]


def lives(pid):
    found = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return found.stdout.strip()[:1] not in ("", "Z")


def wait_until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def exit_of(bridge):
    return bridge.process.wait(30)


def test_two_clients_share_one_server_and_what_happens_in_it(runtime):
    with runtime.bridge() as one, runtime.bridge() as two:
        assert pid_of(one) == pid_of(two)
        assert runtime.servers() == [pid_of(one)]
        one.result("volume_set", {"level": 0.25})
        two.wait(lambda m: m.get("method") == "volume_changed" and m["params"]["level"] == 0.25)
        job = one.result("generate", {"prompt": "steps 3"})["job_id"]
        assert two.end_of(job)["method"] == "generation_complete"
        assert two.result("cache_list")["total"] == 1


def test_folder_and_socket_are_private(runtime):
    with runtime.bridge() as bridge:
        pid_of(bridge)
        assert stat.S_IMODE(runtime.folder.stat().st_mode) == 0o700
        files = [path for path in runtime.folder.iterdir() if path.suffix in (".sock", ".lock")]
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_neither_job_nor_server_end_with_their_client(runtime, go):
    with runtime.bridge() as first:
        server = pid_of(first)
        job = first.result("generate", {"prompt": "steps 2 hold"})["job_id"]
    assert first.process.returncode == 0
    with runtime.bridge() as second:
        assert pid_of(second) == server
        go()
        assert second.end_of(job)["method"] == "generation_complete"


def test_requests_that_arrived_are_answered_after_the_end_of_stdin(runtime):
    with runtime.bridge() as bridge:
        ident = bridge.send("ping")
        bridge.process.stdin.close()
        assert bridge.wait(lambda m: m.get("id") == ident)["result"]["status"] == "ok"
        assert exit_of(bridge) == 0


def test_racing_starts_never_make_two_servers(runtime):
    seen = set()
    for _ in range(ROUNDS):
        with contextlib.ExitStack() as stack:
            bridges = [stack.enter_context(runtime.bridge()) for _ in range(BRIDGES)]
            pids = {pid_of(bridge) for bridge in bridges}
            assert len(pids) == 1
            assert runtime.servers() == list(pids)
            assert not pids & seen
            seen |= pids
            runtime.kill()


def test_a_killed_server_ends_its_bridges_and_its_worker_and_the_next_bridge_starts_another(runtime):
    with runtime.bridge() as bridge:
        server = pid_of(bridge)
        bridge.result("generate", {"prompt": "steps 3000"})
        bridge.wait(lambda m: m.get("method") == "generation_progress")
        worker = int(subprocess.check_output(["ps", "-o", "pid=", "--ppid", str(server)], text=True))
        os.kill(server, signal.SIGKILL)
        assert exit_of(bridge) == 1
    with runtime.bridge() as bridge:
        assert pid_of(bridge) != server
    wait_until(lambda: not lives(worker))


def test_shutdown_answers_first_and_tells_everyone(runtime):
    with runtime.bridge() as one, runtime.bridge() as two:
        server = pid_of(one)
        job = one.result("generate", {"prompt": "steps 3000"})["job_id"]
        pid_of(two)
        assert one.result("shutdown") == {"status": "shutting_down"}
        for bridge in (one, two):
            wait_for_notice(bridge, "asked to stop or restart")
            assert bridge.end_of(job)["method"] == "generation_cancelled"
            assert exit_of(bridge) == 0
    runtime.wait_until_gone(server)
    assert not list(runtime.folder.glob("*.sock"))


def test_a_bridge_that_comes_while_the_server_leaves_gets_the_next_one(runtime):
    with runtime.bridge() as one:
        server = pid_of(one)
        one.send("shutdown")
        with runtime.bridge() as two:
            assert pid_of(two) != server


def test_it_leaves_when_nobody_needs_it(runtime, go):
    with runtime.bridge("idle_timeout_sec=0.2") as bridge:
        server = pid_of(bridge)
        bridge.result("generate", {"prompt": "steps 2 hold"})
    time.sleep(1.2)
    assert runtime.servers() == [server]  # the job is not done
    go()
    runtime.wait_until_gone(server)
    assert "nobody needs this daemon" in runtime.log()
    with runtime.bridge() as bridge:
        assert bridge.result("cache_list")["total"] == 1


def test_it_stays_while_a_client_is_there(runtime):
    with runtime.bridge("idle_timeout_sec=0") as bridge:
        server = pid_of(bridge)
        time.sleep(1.2)
        assert pid_of(bridge) == server
    runtime.wait_until_gone(server)


def test_it_stays_through_a_focus_break(runtime):
    with runtime.bridge("idle_timeout_sec=0") as bridge:
        server = pid_of(bridge)
        bridge.result("focus_start", {"work_min": 25, "break_min": 5})
    time.sleep(1.2)
    with runtime.bridge("idle_timeout_sec=0") as bridge:
        assert pid_of(bridge) == server
        assert bridge.result("status")["focus"]["active"]
        bridge.result("focus_stop")
    runtime.wait_until_gone(server)


def test_an_idle_older_server_is_replaced(runtime):
    with runtime.bridge(env={"PUPPET_VERSION": "0.9.1"}) as old:
        server = pid_of(old)
    with runtime.bridge(env={"PUPPET_VERSION": "0.10.0"}) as new:
        assert new.result("ping")["version"] == "0.10.0"
        assert pid_of(new) != server
        assert notices(new) == []


@pytest.mark.parametrize("with_client", [True, False])
def test_a_busy_older_server_keeps_serving_and_says_so(runtime, with_client):
    with runtime.bridge(env={"PUPPET_VERSION": "0.9.1"}) as old:
        job = old.result("generate", {"prompt": "steps 3000"})["job_id"]
        if not with_client:
            old.close()
        with runtime.bridge(env={"PUPPET_VERSION": "0.10.0"}) as new:
            assert new.result("ping")["version"] == "0.9.1"
            assert wait_for_notice(new, "version 0.9.1, older than 0.10.0, and busy")["level"] == "warn"
            new.result("cancel", {"job_id": job})


def test_an_older_bridge_is_served_by_a_newer_server_and_told(runtime):
    with runtime.bridge(env={"PUPPET_VERSION": "0.10.0"}) as new:
        server = pid_of(new)
    with runtime.bridge(env={"PUPPET_VERSION": "0.9.1"}) as old:
        assert pid_of(old) == server
        wait_for_notice(old, "is version 0.10.0; this client belongs to the older 0.9.1")


def test_another_protocol_is_one_line(runtime):
    with runtime.bridge() as one:
        server = pid_of(one)
        bridge = runtime.bridge(env={"PUPPET_PROTOCOL": "2"})
        assert exit_of(bridge) == 1
        wait_until(lambda: bridge.log.endswith(b"\n"))
        lines = bridge.log.decode().splitlines()
        assert len(lines) == 1
        assert f"pid {server}) speaks protocol 1" in lines[0]
        assert pid_of(one) == server


def test_settings_that_differ_are_said_once_to_whoever_brings_them(runtime):
    with runtime.bridge("cache.max_mb=100") as one:
        pid_of(one)
        with runtime.bridge("cache.max_mb=100", env={"LOFI_THREADS": "3"}) as two, runtime.bridge() as three:
            message = wait_for_notice(two, "keeps its settings")["message"]
            assert "threads = 3 (not 0)" in message
            assert "cache.max_mb" not in message
            pid_of(three)
            assert notices(one) == notices(three) == []


def test_each_client_hears_of_its_own_unfit_settings(runtime):
    with runtime.bridge("no.such=1") as one, runtime.bridge("nor.this=1") as two:
        pid_of(one), pid_of(two)
        assert ["no.such" in text for text in notices(one)] == [True]
        assert ["nor.this" in text for text in notices(two)] == [True]


@contextlib.contextmanager
def raw_link(runtime):
    """What a bridge has, without the bridge: a socket that reads when the test does."""
    (path,) = runtime.folder.glob("*.sock")
    with socket.socket(socket.AF_UNIX) as link:
        link.connect(str(path))
        link.settimeout(30.0)
        link.sendall(encode(Hello("0.1.0")))
        assert decode_welcome(link.recv(1000)).serving
        yield link


def test_a_client_that_stops_reading_holds_up_nobody_and_is_cut_off(runtime):
    with runtime.bridge(env={"PUPPET_UNREAD": "300000"}) as one:
        server = pid_of(one)
        with raw_link(runtime) as stalled:
            levels = [0.001 * (i % 1000) for i in range(12_000)]  # some 1 MB of notifications
            for level in levels:
                one.send("volume_set", {"level": level})
            assert pid_of(one) == server
            with pytest.raises(BrokenPipeError):
                for _ in range(1000):
                    stalled.sendall(b"\n")
                    time.sleep(0.05)
        assert "cut off a client that stopped reading" in runtime.log()
        assert pid_of(one) == server


def test_the_config_file_of_the_first_client_is_the_servers(runtime):
    file = config.config_file()
    file.parent.mkdir(parents=True)
    file.write_text('[presets.night-shift]\nprompt = "slow pads"\n\n[player]\nvolume = 11\n')
    with runtime.bridge() as one:
        assert "night-shift" in [preset["name"] for preset in one.result("presets_list")["presets"]]
        findings = one.result("diagnose")["findings"]
        told = [finding["text"] for finding in findings if finding["section"] == "Settings"]
        assert told[0] == "~/.config/lofi.nvim/config.toml (read)"
        assert [text for text in told if "player.volume" in text and "does not fit" in text]
        assert (
            len([text for text in notices(one) if "player.volume" in text]) == 1
        )  # not by the server and for the client


def test_a_server_does_not_find_itself_when_it_examines_itself(runtime):
    with runtime.bridge() as one:
        findings = one.result("diagnose")["findings"]
        told = [finding["text"] for finding in findings if finding["section"] == "Shared daemon"]
        assert len(told) == 2 and told[0].startswith("Clients meet it in")
        assert len(runtime.servers()) == 1


def test_a_client_that_only_asks_is_not_read_from(runtime):
    with runtime.bridge() as one:
        server = pid_of(one)
        with raw_link(runtime) as greedy:
            greedy.settimeout(1.0)
            before = memory_kib(server)
            request = b'{"jsonrpc":"2.0","id":1,"method":"get_backends"}\n' * 100
            with pytest.raises(TimeoutError):
                for _ in range(10_000):
                    greedy.sendall(request)
            assert pid_of(one) == server
            assert memory_kib(server) - before < 20_000


def memory_kib(pid):
    return int(subprocess.check_output(["ps", "-o", "rss=", "-p", str(pid)]))
