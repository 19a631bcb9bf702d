"""The order of what one client hears."""

import asyncio
import json

from lofi_daemon.errors import LofiError
from lofi_daemon.protocol.session import Session
from lofi_daemon.protocol.wire import Dispatcher, Later, notification


def line(method, ident):
    return json.dumps({"jsonrpc": "2.0", "id": ident, "method": method}).encode()


def test_the_reply_leaves_before_notifications_the_request_caused():
    async def scene():
        heard = []

        async def start(params):
            session.notify(notification("job_started", {}))
            await asyncio.sleep(0)
            session.notify(notification("job_done", {}))
            return "accepted"

        session = Session(Dispatcher({"start": start}), heard.append)
        session.receive([line("start", 1)])
        await session.drain()
        session.notify(notification("later", {}))
        session.close()
        return [json.loads(h) for h in heard]

    heard = asyncio.run(scene())
    assert [h.get("result") or h.get("method") for h in heard] == ["accepted", "job_started", "job_done", "later"]


def test_a_reply_that_takes_long_holds_up_nobody():
    async def scene():
        heard, ready = [], asyncio.Event()

        async def export(params):
            async def work():
                await ready.wait()
                raise LofiError("CACHE_WRITE_ERROR", "No space.")

            return Later(work())

        async def quick(params):
            return None

        session = Session(Dispatcher({"export": export, "quick": quick}), heard.append)
        session.receive([line("export", 1), line("quick", 2)])
        while not heard:  # noqa: ASYNC110  the session gives no event
            await asyncio.sleep(0)
        ready.set()
        await session.drain()
        session.close()
        return [json.loads(h) for h in heard]

    quick, slow = asyncio.run(scene())
    assert (quick["id"], slow["id"], slow["error"]["data"]["code"]) == (2, 1, "CACHE_WRITE_ERROR")


def test_requests_are_answered_in_the_order_they_came():
    async def scene():
        heard = []

        async def slow(params):
            await asyncio.sleep(0.02)

        async def quick(params):
            return None

        session = Session(Dispatcher({"slow": slow, "quick": quick}), heard.append)
        session.receive([line("slow", 1), line("quick", 2)])
        await session.drain()
        session.close()
        return [json.loads(h)["id"] for h in heard]

    assert asyncio.run(scene()) == [1, 2]
