"""The user's choice of a sound device: what there is, what was chosen, and saying when that changes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from ..errors import LofiError
from .audio_thread import AudioThread
from .devices import Device, DeviceList, UnknownDeviceError, match
from .events import DevicesChanged
from .output import Outputs
from .probe import PROBE_TIMEOUT_SEC


class Choice:
    """``current()`` is the id of the device that is open; ``tell`` hears of changes, on the event loop.

    Changes are noticed when someone asks, and when the player meets one; nothing is polled.
    """

    def __init__(
        self, outputs: Outputs, current: Callable[[], str | None], tell: Callable[[DevicesChanged], None]
    ) -> None:
        self._outputs = outputs
        self._current = current
        self._tell = tell
        # Not the thread that opens devices: that one may be held by a device, and this question never is.
        self._thread = AudioThread()
        self._told: DevicesChanged | None = None
        self._looking: asyncio.Task[None] | None = None

    async def list(self) -> DeviceList:
        """What there is now."""
        return self._list(await self._ask())

    async def find(self, wanted: str) -> tuple[str, bool]:
        """The id that ``wanted`` means, and whether that device is open already. "" is the system's default.

        Raises ``LofiError`` AUDIO_DEVICE_ERROR, field "device".
        """
        devices = await self._ask()
        if not wanted:
            return "", self._current() in {device.id for device in devices if device.is_default}
        try:
            ident = match(devices, wanted).id
        except UnknownDeviceError as exc:
            raise LofiError(
                "AUDIO_DEVICE_ERROR",
                str(exc),
                field="device",
                expected=[device.id for device in devices],
                got=wanted,
            ) from exc
        return ident, ident == self._current()

    def look(self) -> None:
        """See in a while what has changed, and tell."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.get_running_loop().create_task(self._look())

    def close(self) -> None:
        if self._looking:
            self._looking.cancel()
        self._thread.close()

    async def _look(self) -> None:
        with contextlib.suppress(LofiError):  # nobody asked, so nobody need hear that there is no answer
            self._list(await self._ask())

    async def _ask(self) -> tuple[Device, ...]:
        try:
            return await self._thread.call(self._outputs.devices, timeout_sec=3 * PROBE_TIMEOUT_SEC)
        except TimeoutError:
            raise LofiError(
                "AUDIO_DEVICE_ERROR", "The sound system does not say which devices there are; try again."
            ) from None

    def _list(self, devices: tuple[Device, ...]) -> DeviceList:
        now = DevicesChanged(devices, self._current())
        before, self._told = self._told, now
        if before is not None and before != now:
            self._tell(now)
        return DeviceList(devices, now.current, self._outputs.chosen)
