"""Framing and the JSON-RPC envelope, without any real method."""

import asyncio
import json

import pytest

from lofi_daemon.errors import LofiError
from lofi_daemon.protocol.wire import MAX_LINE, Dispatcher, Splitter, encode


async def echo(params):
    return params


async def refuse(params):
    raise LofiError("INVALID_SEED", "Choose another seed.", field="seed", expected="a number", got="x")


async def broken(params):
    raise RuntimeError("secret traceback text")


def ask(line):
    dispatcher = Dispatcher({"echo": echo, "refuse": refuse, "broken": broken})
    reply = asyncio.run(
        dispatcher.answer(line if line is None or isinstance(line, bytes) else json.dumps(line).encode())
    )
    return None if reply is None else json.loads(reply)


def request(method, params=None, ident=1):
    return {"jsonrpc": "2.0", "id": ident, "method": method} | ({} if params is None else {"params": params})


def test_lines_split_anywhere_are_joined():
    text = b'{"a":1}\n{"b":2}\n'
    for cut in range(len(text)):
        splitter = Splitter()
        assert splitter.feed(text[:cut]) + splitter.feed(text[cut:]) == [b'{"a":1}', b'{"b":2}']


def test_a_line_over_the_limit_is_skipped_and_the_next_one_read():
    splitter = Splitter(max_line=10)
    assert splitter.feed(b"x" * 8) == []
    assert splitter.feed(b"x" * 8) == []
    assert splitter.feed(b"x" * 8 + b"\nok\n") == [None, b"ok"]


def test_an_oversized_line_is_not_kept_in_memory():
    splitter = Splitter(max_line=10)
    for _ in range(100):
        splitter.feed(b"x" * 1000)
    assert sum(map(len, splitter._parts)) == 0


def test_a_line_of_exactly_the_limit_is_read():
    assert Splitter(max_line=3).feed(b"abc\n") == [b"abc"]


def test_a_last_line_without_newline_is_not_lost():
    splitter = Splitter()
    splitter.feed(b'{"a":1}')
    assert splitter.rest() == [b'{"a":1}']


def test_result_carries_the_id():
    assert ask(request("echo", {"x": 1}, "seven")) == {"jsonrpc": "2.0", "id": "seven", "result": {"x": 1}}


@pytest.mark.parametrize("params", [None, {}, []])
def test_absent_and_empty_params_are_the_same(params):
    assert ask(request("echo", params))["result"] == {}


def test_a_notification_gets_no_reply_even_when_it_fails():
    assert ask({"jsonrpc": "2.0", "method": "refuse"}) is None


@pytest.mark.parametrize("line", [b"", b"   ", b"\r"])
def test_blank_lines_are_passed_over(line):
    assert ask(line) is None


@pytest.mark.parametrize(
    ("line", "name", "code"),
    [
        (b"{", "PARSE_ERROR", -32700),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"echo"}', "PARSE_ERROR", -32700),
        (b'{"a":"\xff\xfe"}', "PARSE_ERROR", -32700),
        (b"[" * 200_000, "PARSE_ERROR", -32700),
        (b"[]", "INVALID_REQUEST", -32600),
        (b"7", "INVALID_REQUEST", -32600),
        (b'{"id":1,"method":"echo"}', "INVALID_REQUEST", -32600),
        (b'{"jsonrpc":"2.0","id":1}', "INVALID_REQUEST", -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', "INVALID_REQUEST", -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"echo"}', "INVALID_REQUEST", -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"echo"}', "INVALID_REQUEST", -32600),
        (None, "INVALID_REQUEST", -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"sing"}', "METHOD_NOT_FOUND", -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":[1]}', "INVALID_PARAMS", -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"echo","params":"x"}', "INVALID_PARAMS", -32602),
    ],
)
def test_bad_lines_get_their_named_error(line, name, code):
    error = ask(line)["error"]
    assert (error["code"], error["data"]["code"], error["data"]["error_code"]) == (code, name, name)


def test_a_named_error_carries_field_and_details():
    error = ask(request("refuse"))["error"]
    assert error["message"] == "Choose another seed."
    assert error["data"]["field"] == "seed"
    assert error["data"]["details"] == {"expected": "a number", "got": "x"}


def test_an_internal_error_shows_no_traceback():
    error = ask(request("broken"))["error"]
    assert error["code"] == -32603
    assert "secret" not in json.dumps(error)


def test_a_batch_is_answered_as_one_array_without_notifications():
    replies = ask([request("echo", {}, 1), {"jsonrpc": "2.0", "method": "echo"}, request("sing", {}, 2), 5])
    assert [(r["id"], "result" in r) for r in replies] == [(1, True), (2, False), (None, False)]


def test_a_batch_of_notifications_gets_no_reply():
    assert ask([{"jsonrpc": "2.0", "method": "echo"}]) is None


def test_nan_never_leaves():
    assert encode({"x": float("nan"), "y": float("inf")}) == b'{"x":null,"y":null}\n'


def test_the_limit_is_eight_mebibytes():
    assert MAX_LINE == 8 * 1024 * 1024
