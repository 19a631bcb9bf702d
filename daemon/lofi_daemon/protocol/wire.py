"""Lines in, lines out: framing, JSON-RPC envelopes, dispatch. Knows no method."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from ..errors import LofiError

log = logging.getLogger(__name__)

MAX_LINE = 8 * 1024 * 1024

Method = Callable[[Any], Awaitable[object]]
"""Takes the ``params`` member (a dict; an absent or empty one is {}), returns the result. Raises LofiError."""

Reply = dict[str, object]


class Later:
    """What a method returns when its result takes long: the client's next requests are answered meanwhile."""

    def __init__(self, result: Awaitable[object]) -> None:
        self.result = result


_encoder = msgspec.json.Encoder(decimal_format="number")


class Splitter:
    """Joins reads into lines. A line over ``MAX_LINE`` is skipped to its end and yielded as None."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        self._max_line = max_line
        self._parts: list[bytes] = []
        self._size = 0
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """The lines that ``data`` completes, without their newlines."""
        lines: list[bytes | None] = []
        *complete, rest = data.split(b"\n")
        for piece in complete:
            self._hold(piece)
            lines.append(None if self._skipping else b"".join(self._parts))
            self._parts, self._size, self._skipping = [], 0, False
        self._hold(rest)
        return lines

    def rest(self) -> list[bytes | None]:
        """At the end of the stream: a last line that has no newline."""
        if self._skipping:
            return [None]
        return [b"".join(self._parts)] if self._size else []

    def _hold(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._max_line:
            self._skipping, self._parts = True, []
        elif piece:
            self._parts.append(piece)


def encode(message: object) -> bytes:
    """One line, newline included. NaN and infinities become null."""
    return _encoder.encode(message) + b"\n"


def notification(method: str, params: object) -> bytes:
    return encode({"jsonrpc": "2.0", "method": method, "params": params})


class Dispatcher:
    """Answers lines with the methods given to it."""

    def __init__(self, methods: Mapping[str, Method]) -> None:
        self._methods = methods

    async def answer(self, line: bytes | None) -> bytes | Awaitable[bytes | None] | None:
        """The reply line to a request line; None where none is due (blank lines, notifications).

        Where the reply takes long it is an awaitable, not to be waited for before the next line is answered.
        ``line`` None stands for one that was too long to read.
        """
        if line is None:
            return encode(
                _error(None, LofiError("INVALID_REQUEST", f"A line may have {MAX_LINE} bytes; this one was skipped."))
            )
        if not line.strip():
            return None
        try:
            message = msgspec.json.decode(line)
        except UnicodeDecodeError:
            return encode(_error(None, LofiError("PARSE_ERROR", "The line is not valid UTF-8.")))
        except (msgspec.DecodeError, RecursionError) as error:
            return encode(_error(None, LofiError("PARSE_ERROR", f"The line is not valid JSON: {error}.")))
        if isinstance(message, list):
            if not message:
                return encode(_error(None, LofiError("INVALID_REQUEST", "A batch holds at least one request.")))
            answers = [answer for part in message if (answer := await self._whole(part)) is not None]
            return encode(answers) if answers else None
        reply = await self._one(message)
        return _encode_reply(reply) if isinstance(reply, dict | None) else _encode_later(reply)

    async def _whole(self, request: object) -> Reply | None:
        reply = await self._one(request)
        if isinstance(reply, dict | None):
            return reply
        return await reply

    async def _one(self, request: object) -> Reply | Awaitable[Reply | None] | None:
        ident: object = None
        wants_reply = True
        try:
            if not isinstance(request, dict):
                raise LofiError("INVALID_REQUEST", "A request is a JSON object.")
            wants_reply = "id" in request
            ident = _checked_id(request)
            method = request.get("method")
            if request.get("jsonrpc") != "2.0" or not isinstance(method, str):
                wants_reply = True
                raise LofiError("INVALID_REQUEST", 'A request has "jsonrpc": "2.0" and a "method" that is a string.')
        except LofiError as error:
            return _error(ident, error) if wants_reply else None
        return await self._reply(self._call(method, request.get("params")), ident, wants_reply)

    async def _reply(
        self, result: Awaitable[object], ident: object, wants_reply: bool
    ) -> Reply | Awaitable[Reply | None] | None:
        try:
            value = await result
        except LofiError as error:
            reply = _error(ident, error)
        except Exception:
            log.exception("answering request %.80r failed", ident)
            reply = _error(ident, LofiError("INTERNAL_ERROR", "An internal error; the log has the details."))
        else:
            if isinstance(value, Later):
                return self._whole_reply(value, ident, wants_reply)
            reply = {"jsonrpc": "2.0", "id": ident, "result": value}
        return reply if wants_reply else None

    async def _whole_reply(self, later: Later, ident: object, wants_reply: bool) -> Reply | None:
        reply = await self._reply(later.result, ident, wants_reply)
        assert isinstance(reply, dict | None), "a Later gives a result, not another Later"
        return reply

    async def _call(self, method: str, params: object) -> object:
        if method not in self._methods:
            raise LofiError(
                "METHOD_NOT_FOUND", f"There is no method “{method}”.", expected=sorted(self._methods), got=method
            )
        if params is None or params == []:  # Lua cannot tell {} from []
            params = {}
        if not isinstance(params, dict):
            raise LofiError("INVALID_PARAMS", "Parameters are named: send params as a JSON object.", field="params")
        return await self._methods[method](params)


def _encode_reply(reply: Reply | None) -> bytes | None:
    return None if reply is None else encode(reply)


async def _encode_later(reply: Awaitable[Reply | None]) -> bytes | None:
    return _encode_reply(await reply)


def _checked_id(request: dict[str, object]) -> object:
    ident = request.get("id")
    if isinstance(ident, bool) or not isinstance(ident, str | int | float | None):
        raise LofiError("INVALID_REQUEST", "The id of a request is a string or a number.")
    return ident


def _error(ident: object, error: LofiError) -> Reply:
    body = {"code": error.code, "message": error.message, "data": error.data()}
    return {"jsonrpc": "2.0", "id": ident, "error": body}
