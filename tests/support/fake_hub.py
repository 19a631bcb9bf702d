"""A hub on localhost that can misbehave: the API on one port, the files ("CDN") on another.

Each file may have a list of tricks, one for each request of its bytes, the last one for all that follow:
"drop N": N bytes, then the line is cut · "short": a smaller Content-Length than is true · "corrupt": other bytes ·
"norange": 200 and everything, whatever was asked for · "status N [SECONDS]": that status (and Retry-After) ·
"wrongrange": a Content-Range of other bytes · "gzip": says it is packed · "slow N": N bytes, the rest when
``go_on`` is set · "ok".
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "c0ffee" + "0" * 34
OTHER_COMMIT = "decade" + "1" * 34


def git_hash(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class FakeHub:
    """``repos`` maps repo → path → bytes; those that end in .safetensors, .bin and .pt are in LFS."""

    def __init__(self, repos: dict[str, dict[str, bytes]]) -> None:
        self.repos = repos
        self.tricks: dict[str, list[str]] = {}
        self.revisions: dict[str, dict[str, bytes]] = {}
        """"REPO@REVISION" → its own files."""
        self.commit = COMMIT
        self.listing_status = 200
        self.resolve_status = 302
        self.token: str | None = None
        self.send_to: str | None = None
        """Where files are said to be, in place of the CDN."""
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        """(which server, path, headers) of each request."""
        self.go_on = threading.Event()
        self.stalled = threading.Event()
        self._servers = [self._serve("hub"), self._serve("cdn")]
        self.url, self.cdn_url = (f"http://127.0.0.1:{server.server_port}" for server in self._servers)

    def close(self) -> None:
        self.go_on.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def __enter__(self) -> FakeHub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ranges(self, name: str) -> list[str | None]:
        """What was asked for of the file of that name at the CDN."""
        return [head.get("Range") for where, path, head in self.asked if where == "cdn" and path.endswith(f"/{name}")]

    def _serve(self, where: str) -> ThreadingHTTPServer:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path)
                hub.asked.append((where, path, dict(self.headers)))
                self.close_connection = True
                (hub._api if where == "hub" else hub._file)(self, path)

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    def _api(self, handler: BaseHTTPRequestHandler, path: str) -> None:
        if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
            self._send(handler, 401, b"{}")
        elif path.startswith("/api/models/"):
            repo, _, revision = path.removeprefix("/api/models/").partition("/revision/")
            files = self.revisions.get(f"{repo}@{revision}") or self.repos.get(repo)
            known = files is not None and (revision == "main" or revision == self.commit or revision.startswith("refs"))
            if self.listing_status != 200 or not known:
                self._send(handler, 404 if self.listing_status == 200 else self.listing_status, b"{}")
                return
            assert files is not None
            body = {"id": repo, "sha": self.commit, "siblings": [sibling(p, c) for p, c in files.items()]}
            self._send(handler, 200, json.dumps(body).encode())
        else:
            repo, _, rest = path.lstrip("/").partition("/resolve/")
            commit, _, name = rest.partition("/")
            if commit not in (COMMIT, OTHER_COMMIT) or self._bytes(repo, name) is None:
                self._send(handler, 404, b"Entry not found")
                return
            if self.resolve_status != 302:
                self._send(handler, self.resolve_status, b"")
                return
            self._send(handler, 302, b"", Location=f"{self.send_to or self.cdn_url}/{repo}/{name}?signed=1")

    def _bytes(self, repo: str, name: str) -> bytes | None:
        for key, files in [(repo, self.repos.get(repo, {})), *self.revisions.items()]:
            if key.partition("@")[0] == repo and name in files:
                return files[name]
        return None

    def _file(self, handler: BaseHTTPRequestHandler, path: str) -> None:
        organisation, repo, name = path.lstrip("/").split("/", 2)
        content = self._bytes(f"{organisation}/{repo}", name)
        assert content is not None
        queue = self.tricks.get(name, ["ok"])
        trick, *arguments = (queue.pop(0) if len(queue) > 1 else queue[0]).split()
        begin = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        if trick == "status":
            more = {"Retry-After": arguments[1]} if len(arguments) > 1 else {}
            self._send(handler, int(arguments[0]), b"", **more)
            return
        if trick == "corrupt":
            content = bytes(255 - byte for byte in content)
        if trick == "norange":
            begin = 0
        if begin > len(content) or (begin and begin == len(content)):
            self._send(handler, 416, b"")
            return
        body = content[begin:]
        said = len(body) - 10 if trick == "short" else len(body)
        handler.send_response(206 if begin else 200)
        handler.send_header("Content-Length", str(said))
        if begin:
            first = begin + 1 if trick == "wrongrange" else begin
            handler.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        if trick == "gzip":
            handler.send_header("Content-Encoding", "gzip")
        handler.end_headers()
        if trick == "drop":
            body = body[: int(arguments[0])]
        if trick == "slow":
            handler.wfile.write(body[: int(arguments[0])])
            handler.wfile.flush()
            self.stalled.set()
            self.go_on.wait(60)
            body = body[int(arguments[0]) :]
        with contextlib.suppress(ConnectionError):  # a client that does not like what it was told
            handler.wfile.write(body)

    def _send(self, handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
        handler.send_response(status)
        for name, value in {**headers, "Content_Length": str(len(body))}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)


def sibling(path: str, content: bytes) -> dict[str, object]:
    entry: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": git_hash(content)}
    if path.endswith((".safetensors", ".bin", ".pt")):
        entry["blobId"] = git_hash(b"version https://git-lfs.github.com/spec/v1")
        entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 135}
    return entry


def musicgen_files(size: int = 300_000) -> dict[str, bytes]:
    """As facebook/musicgen-small has them, in little."""
    weights = hashlib.shake_256(b"weights").digest(size)
    return {
        ".gitattributes": b"*.bin filter=lfs\n",
        "README.md": b"# MusicGen\n",
        "compression_state_dict.bin": b"pickle",
        "config.json": b'{"model_type": "musicgen"}\n',
        "generation_config.json": b"{}\n",
        "model.safetensors": weights,
        "model.fp32.safetensors": weights * 2,
        "preprocessor_config.json": b"{}\n",
        "pytorch_model.bin": b"pickle",
        "special_tokens_map.json": b"{}\n",
        "spiece.model": b"sentencepiece",
        "tokenizer.json": b"{}\n",
        "tokenizer_config.json": b"{}\n",
    }
