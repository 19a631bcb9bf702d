"""The handshake's two lines, which other versions must be able to read."""

import json

from lofi_daemon.shared.hello import Hello, Welcome, decode_hello, decode_welcome, encode, own, version_key


def test_they_come_back_as_they_were_sent():
    sent = Hello("1.2.3", 4, ["cache.max_mb=5"], {"LOFI_DEVICE": "cpu"})
    got = decode_hello(encode(sent))
    assert (got.version, got.protocol, got.setup, got.environ) == ("1.2.3", 4, sent.setup, sent.environ)
    got = decode_welcome(encode(Welcome("1.2.3", 77, True, 4)))
    assert (got.version, got.pid, got.serving, got.protocol) == ("1.2.3", 77, True, 4)


def test_what_a_later_version_adds_is_passed_over():
    line = json.dumps({"version": "9", "protocol": 1, "setup": [1, "a=b"], "environ": {"X": 1}, "new": {}}).encode()
    assert decode_hello(line).setup == ["a=b"]
    line = json.dumps({"version": "9", "protocol": 1, "pid": 1, "serving": False, "new": []}).encode()
    assert decode_welcome(line).serving is False


def test_anything_else_is_nobody():
    for line in (b"", b"GET / HTTP/1.1\n", b"[]", b"{}", b'{"version": 1}', b"\xff\xfe"):
        assert decode_hello(line) is None
        assert decode_welcome(line) is None


def test_only_our_own_environment_is_told():
    assert own((), {"LOFI_DEVICE": "cpu", "SECRET_TOKEN": "x", "ACE_LATENT_DIR": "/l"}).environ == {
        "LOFI_DEVICE": "cpu",
        "ACE_LATENT_DIR": "/l",
    }


def test_versions_are_compared_as_numbers():
    assert version_key("0.10.0") > version_key("0.9.1")
    assert version_key("1.0.dev3") < version_key("1.0.1")
