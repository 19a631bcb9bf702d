import asyncio
import threading

import pytest

from lofi_daemon.player.audio_thread import AudioThread


def with_thread(scene):
    async def run():
        audio = AudioThread()
        try:
            await scene(audio)
        finally:
            audio.close()

    asyncio.run(run())


def test_calls_run_in_order_in_a_thread_of_their_own():
    ran = []

    def note(number):
        ran.append((number, threading.current_thread().name))
        return number

    async def scene(audio):
        results = await asyncio.gather(
            *(audio.call(lambda number=number: note(number), timeout_sec=60) for number in range(5))
        )
        assert results == list(range(5))
        assert ran == [(number, "lofi-audio") for number in range(5)]

    with_thread(scene)


def test_what_a_call_raises_reaches_the_caller_and_the_thread_goes_on():
    async def scene(audio):
        with pytest.raises(ZeroDivisionError):
            await audio.call(lambda: 1 // 0, timeout_sec=60)
        assert await audio.call(lambda: 1, timeout_sec=60) == 1

    with_thread(scene)


def test_a_result_that_comes_too_late_is_handed_over_to_be_closed():
    answer, closed = threading.Event(), threading.Event()

    def slow():
        answer.wait()
        return "device"

    def close(result):
        assert result == "device"
        closed.set()

    async def scene(audio):
        with pytest.raises(TimeoutError):
            await audio.call(slow, timeout_sec=0.02, too_late=close)
        answer.set()
        await audio.call(lambda: None, timeout_sec=60)
        await audio.call(lambda: None, timeout_sec=60)
        assert closed.is_set()

    with_thread(scene)
