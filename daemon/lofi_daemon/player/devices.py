"""The sound devices there are, by names that stay the same from one start to the next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec import Struct

OutputKind = Literal["sounddevice", "miniaudio"]


class Device(Struct, frozen=True):
    """``id`` is the name, numbered where several have the same; ``output`` the library that told of it.

    miniaudio does not tell which one is the default: there ``is_default`` is False for all.
    """

    id: str
    name: str
    is_default: bool
    output: OutputKind


class DeviceList(Struct, frozen=True):
    """``current`` is the device that is open now, where its driver tells; ``chosen`` what the user asked for.

    ``chosen`` "" leaves the choice to the system.
    """

    devices: tuple[Device, ...]
    current: str | None
    chosen: str


class UnknownDeviceError(Exception):
    """No device, or more than one, answers to a name; the text says which there are."""


def identify(names: Sequence[str]) -> list[str]:
    """An id for each of ``names``: itself, and from the second of the same name on "name #2", "name #3"."""
    seen: Counter[str] = Counter()
    ids = []
    for name in names:
        seen[name] += 1
        ids.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return ids


def match(devices: Iterable[Device], wanted: str) -> Device:
    """The one that ``wanted`` means: an id, a name, or a part of a name that only one has; case does not matter.

    Raises ``UnknownDeviceError``.
    """
    devices = tuple(devices)
    text = wanted.casefold()
    exact = [device for device in devices if device.id == wanted]
    named = [device for device in devices if text in (device.id.casefold(), device.name.casefold())]
    parts = [device for device in devices if text and text in device.id.casefold()]
    found = exact or named or parts
    if len(found) == 1:
        return found[0]
    if found:
        raise UnknownDeviceError(f"“{wanted}” could be {_listed(found, 'or')}; name one of them in full.")
    there_are = f"there are {_listed(devices, 'and')}" if devices else "there is none at all"
    raise UnknownDeviceError(f"There is no sound device “{wanted}”; {there_are}.")


def _listed(devices: Sequence[Device], last: str) -> str:
    names = [f"“{device.id}”" for device in devices]
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else names[0]
