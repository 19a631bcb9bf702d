import asyncio
import threading

import pytest

from lofi_daemon.library.offloop import OffLoop


@pytest.fixture
def thread():
    thread = OffLoop("test")
    yield thread
    thread.close(wait=True)


def test_results_and_errors_come_back_and_every_call_runs_on_the_one_thread(thread):
    def name(*, suffix):
        return threading.current_thread().name + suffix

    async def scene():
        assert await thread.run(name, suffix="!") == "test!"
        with pytest.raises(ZeroDivisionError):
            await thread.run(divmod, 1, 0)
        assert await thread.run(name, suffix="?") == "test?"

    asyncio.run(scene())


def test_calls_run_in_order_one_at_a_time(thread):
    done = []

    async def scene():
        await asyncio.gather(*(thread.run(done.append, number) for number in range(50)))

    asyncio.run(scene())
    assert done == list(range(50))


def test_the_loop_runs_on_while_a_call_blocks(thread):
    release = threading.Event()

    async def scene():
        waiting = asyncio.ensure_future(thread.run(release.wait, 10))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        release.set()
        assert await waiting

    asyncio.run(scene())


def test_a_cancelled_call_that_has_not_begun_is_left_out(thread):
    release, ran = threading.Event(), []

    async def scene():
        first = asyncio.ensure_future(thread.run(release.wait, 10))
        second = asyncio.ensure_future(thread.run(ran.append, "second"))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        release.set()
        await first
        await thread.run(ran.append, "third")

    asyncio.run(scene())
    assert ran == ["third"]


def test_closing_makes_the_waiting_calls_and_takes_no_more():
    thread, ran = OffLoop("test"), []
    release = threading.Event()

    async def scene():
        first = asyncio.ensure_future(thread.run(release.wait, 10))
        second = asyncio.ensure_future(thread.run(ran.append, "second"))
        await asyncio.sleep(0)
        thread.close()
        with pytest.raises(RuntimeError):
            await thread.run(ran.append, "late")
        release.set()
        await asyncio.gather(first, second)

    asyncio.run(scene())
    thread.close(wait=True)
    assert ran == ["second"]


def test_a_call_that_outlives_its_loop_harms_nobody(thread):
    release = threading.Event()

    async def scene():
        asyncio.ensure_future(thread.run(release.wait, 10))  # noqa: RUF006
        await asyncio.sleep(0)

    asyncio.run(scene())
    release.set()
    assert asyncio.run(thread.run(int, "7")) == 7
