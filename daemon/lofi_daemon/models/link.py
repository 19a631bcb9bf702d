"""What the front and the child that fetches say to each other: a line of JSON each."""

from __future__ import annotations

from pathlib import Path

import msgspec
from msgspec import Struct

from .catalogue import Part, Weights


class Patience(Struct, frozen=True):
    """How long the hub is waited for: ``tries`` in a row without a new byte end a download."""

    tries: int = 5
    backoff_sec: float = 1.0
    longest_pause_sec: float = 60.0
    timeout_sec: float = 30.0


class Order(Struct, frozen=True):
    """The child's one order. It leaves as soon as its stdin ends."""

    title: str
    root: str
    parts: tuple[Part, ...]
    patience: Patience = Patience()


class Progress(Struct, frozen=True, tag="progress"):
    """``done`` counts what lay here before; ``fetched`` only what came over the network in this run."""

    file: str
    component: str
    component_done: int
    component_total: int
    done: int
    total: int
    fetched: int
    files_done: int
    files_total: int


class Finished(Struct, frozen=True, tag="finished"):
    total: int


class Failed(Struct, frozen=True, tag="failed"):
    """``message`` says what to do, and what is kept."""

    name: str
    message: str


FromChild = Progress | Finished | Failed

_encoder = msgspec.json.Encoder()
_order: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)
_from_child: msgspec.json.Decoder[FromChild] = msgspec.json.Decoder(FromChild)


def order_for(weights: Weights, root: Path, patience: Patience) -> Order:
    return Order(weights.title, str(root), weights.parts, patience)


def encode(message: Order | FromChild) -> bytes:
    return _encoder.encode(message) + b"\n"


def decode_order(line: bytes) -> Order:
    return _order.decode(line)


def decode_from_child(line: bytes) -> FromChild:
    """Raises msgspec.DecodeError."""
    return _from_child.decode(line)
