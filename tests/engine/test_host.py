"""The host against real child processes."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from lofi_daemon.backends.base import Equipment
from lofi_daemon.config import Settings
from lofi_daemon.engine.host import EngineHost, worker_environment
from lofi_daemon.engine.link import Done, Failed, Progress, Ready, Run, Started, decode_from_worker, encode
from lofi_daemon.errors import LofiError
from lofi_daemon.model import StageParams

PUPPET = (sys.executable, str(Path(__file__).parents[1] / "support" / "puppet_worker.py"))


class Scene:
    def __init__(self, tmp_path, command=PUPPET, **more):
        self.heard, self.exits = [], []
        self.changed = asyncio.Event()
        self.staging = tmp_path
        self.host = EngineHost(self._hear, self._exit, os.environ, command, **more)

    def _hear(self, message):
        self.heard.append(message)
        self.changed.set()

    def _exit(self, reason):
        self.exits.append(reason)
        self.changed.set()

    async def until(self, condition):
        async with asyncio.timeout(60):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def run(self, prompt, ident="j"):
        params = StageParams(backend="synth", prompt=prompt, duration_sec=30, seed=1)
        staging = tempfile.mkdtemp(dir=self.staging)
        await self.host.send(Run(ident, (params,), (("ab" * 32,),), (Equipment("v"),), staging))

    def kinds(self):
        return [type(m) for m in self.heard]


def play(tmp_path, scene, **more):
    async def whole():
        stage = Scene(tmp_path, **more)
        try:
            await scene(stage)
        finally:
            await stage.host.close()

    asyncio.run(whole())


def test_no_worker_runs_before_there_is_work(tmp_path):
    async def scene(stage):
        assert stage.host.pid is None
        assert await stage.host.unload(None) == ()
        assert stage.host.pid is None

    play(tmp_path, scene)


def test_a_job_is_told_from_start_to_done(tmp_path):
    async def scene(stage):
        await stage.run("steps 3")
        await stage.until(lambda: Done in stage.kinds())
        assert stage.kinds() == [Ready, Started, Progress, Progress, Progress, Done]
        assert stage.host.device == "puppet"

    play(tmp_path, scene)


def test_garbage_on_the_link_is_passed_over(tmp_path):
    async def scene(stage):
        await stage.run("chatter")
        await stage.until(lambda: Done in stage.kinds())

    play(tmp_path, scene)


def test_a_crash_is_told_and_the_next_job_gets_a_new_worker(tmp_path):
    async def scene(stage):
        await stage.run("crash")
        await stage.until(lambda: stage.exits)
        assert stage.exits == ["signal 11"]
        assert stage.host.pid is None
        await stage.run("steps 1")
        await stage.until(lambda: Done in stage.kinds())

    play(tmp_path, scene)


def test_kill_ends_a_worker_that_hears_nothing(tmp_path):
    async def scene(stage):
        await stage.run("deaf")
        await stage.until(lambda: Progress in stage.kinds())
        stage.host.kill()
        await stage.until(lambda: stage.exits)
        assert "killed" in stage.exits[0]

    play(tmp_path, scene)


def test_unload_is_answered_by_the_worker(tmp_path):
    async def scene(stage):
        await stage.run("steps 1")
        await stage.until(lambda: Done in stage.kinds())
        assert await stage.host.unload("synth") == ("synth",)

    play(tmp_path, scene)


def test_an_idle_worker_goes_and_comes_back(tmp_path):
    async def scene(stage):
        await stage.run("steps 1")
        await stage.until(lambda: Done in stage.kinds())
        stage.host.idle()
        await stage.until(lambda: stage.exits)
        stage.heard.clear()
        await stage.run("steps 1")
        await stage.until(lambda: Done in stage.kinds())

    play(tmp_path, scene, idle_unload_sec=0.01)


def test_a_worker_that_cannot_start_is_a_named_error(tmp_path):
    async def scene(stage):
        with pytest.raises(LofiError) as caught:
            await stage.run("steps 1")
        assert caught.value.name == "INTERNAL_ERROR"

    play(tmp_path, scene, command=("/nonexistent/python",))


REAL_WORKER = (sys.executable, "-m", "lofi_daemon.engine.worker")


def test_the_real_worker_names_a_backend_it_has_no_engine_for(tmp_path):
    async def scene(stage):
        params = StageParams(backend="ace_step", prompt="x", duration_sec=30, seed=1)
        await stage.host.send(Run("j", (params,), (("ab" * 32,),), (Equipment("v"),), str(tmp_path)))
        await stage.until(lambda: Failed in stage.kinds())
        assert stage.heard[-1].name == "BACKEND_NOT_INSTALLED"

    play(tmp_path, scene, command=REAL_WORKER)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").exists() is False or ") Z" not in Path(f"/proc/{pid}/stat").read_text()


def test_the_real_worker_dies_with_its_front(tmp_path):
    """kill -9 of the front leaves nothing behind, even though it could not clean up."""
    front = f"""
import asyncio, os, sys
from lofi_daemon.engine.host import EngineHost
from lofi_daemon.engine.link import Ready, Unload
async def main():
    ready = asyncio.Event()
    host = EngineHost(lambda m: ready.set(), print, os.environ, {REAL_WORKER!r})
    await host.send(Unload())
    await ready.wait()
    print(host.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""

    async def scene(stage):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", front, stdout=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL
        )
        worker = int(await process.stdout.readline())
        assert alive(worker)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        async with asyncio.timeout(60):
            while alive(worker):  # noqa: ASYNC110  a process gives no event
                await asyncio.sleep(0.01)

    play(tmp_path, scene)


NOISY = """
import os, sys, types
import lofi_daemon.backends.registry as registry, lofi_daemon.engine.worker as worker
noisy = types.ModuleType("noisy")
def make_engine():
    print("Loading weights: 100%", flush=True)
    os.write(1, b"native noise\\n")
    raise RuntimeError("a library broke")
noisy.make_engine = make_engine
sys.modules["noisy"] = noisy
registry.ENGINE_MODULES["synth"] = "noisy"
worker.main()
"""


def test_what_libraries_print_never_reaches_the_link_and_what_they_raise_is_told(tmp_path):
    params = StageParams(backend="synth", prompt="x", duration_sec=30, seed=1)
    run = Run("j", (params,), (("a",),), (Equipment("v"),), str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-c", NOISY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=worker_environment(Settings(), log_file=Path("/var/daemon.log")),
    )
    process.stdin.write(encode(run))
    process.stdin.flush()
    heard = (decode_from_worker(line) for line in process.stdout)
    ready, failed = next(heard), next(message for message in heard if isinstance(message, Failed))
    log = process.communicate()[1]
    assert isinstance(ready, Ready)
    assert (failed.name, failed.job_id) == ("MODEL_INFERENCE_FAILED", "j")
    assert failed.message == (
        "The backend failed (RuntimeError: a library broke); the log has the details: /var/daemon.log."
    )
    assert b"native noise" in log
    assert b"Traceback" in log


if sys.platform == "linux":

    def test_the_kernel_ends_the_worker_even_when_it_reads_nothing():
        """The worker's reader thread does not run while C code holds the GIL; the kernel needs no thread."""
        deaf = "import time; from lofi_daemon.engine.worker import _die_with_parent as d; d(); print(1, flush=True); "
        front = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {deaf + "time.sleep(600)"!r}], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(600)
"""
        process = subprocess.Popen([sys.executable, "-c", front], stdout=subprocess.PIPE)
        child = int(process.stdout.readline())
        process.kill()
        process.wait()
        deadline = time.monotonic() + 60
        while alive(child):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_cpu_only_hides_every_gpu_from_the_worker():
    env = worker_environment(Settings(execution_mode="cpu_only"), {"CUDA_VISIBLE_DEVICES": "0"})
    assert env["CUDA_VISIBLE_DEVICES"] == ""
    assert env["HIP_VISIBLE_DEVICES"] == ""
    assert worker_environment(Settings(), {"CUDA_VISIBLE_DEVICES": "0"})["CUDA_VISIBLE_DEVICES"] == "0"


def test_the_thread_limit_reaches_the_worker():
    env = worker_environment(Settings(threads=1), {})
    assert env["OMP_NUM_THREADS"] == env["OPENBLAS_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in worker_environment(Settings(), {})
