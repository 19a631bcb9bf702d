"""GPUs and PyTorch: what is there, whether the two fit together, and whether the settings let them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from ..config import Loaded
from ..engine.host import worker_environment
from .cards import Card
from .child import Run, run
from .commands import Installation
from .finding import WAITS_LONGER, Finding
from .torch_build import TorchBuild

_TRY = """
import json, torch
cuda = torch.cuda.is_available()
name = torch.cuda.get_device_name(0) if cuda else "the Apple GPU" if torch.backends.mps.is_available() else ""
print(json.dumps(name))
"""

_OLDEST_DRIVER = {"11": 450, "12": 525, "13": 580}
"""Of NVIDIA's drivers, by the major version of CUDA (NVIDIA, CUDA Compatibility, minor version compatibility)."""

_find = partial(Finding, "GPU")


def look(
    loaded: Loaded,
    cards: Sequence[Card],
    build: TorchBuild | None,
    installation: Installation,
    within_sec: float,
    *,
    ask: Run = run,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Finding]:
    for card in cards:
        if card.problem:
            yield _find("warn", f"{card} cannot be used: {card.problem}", _mend_card(card))
        else:
            yield _find("ok", str(card))
    if not cards:
        yield _find("info", "No GPU was found; the composer needs none, and neural backends also run on the CPU")
    yield from _settings(loaded, cards, environ)
    if build is None:
        yield _find("info", "PyTorch is not installed; only the neural backends need it")
    else:
        yield from _torch(loaded, cards, build, installation, within_sec, ask, environ)


def _mend_card(card: Card) -> tuple[str, ...]:
    if card.maker == "amd":
        return ("Join its group, then log in again: sudo usermod -aG render,video $USER",)
    if "mismatch" in card.problem:  # the library was upgraded, the module in the kernel was not yet
        return ("The driver was upgraded since the machine started: restart it",)
    return ("See what `nvidia-smi` says; install the driver again or restart the machine",)


def _settings(loaded: Loaded, cards: Sequence[Card], environ: Mapping[str, str]) -> Iterator[Finding]:
    """What keeps a GPU from being used, or asks for one that is not there."""
    device, mode = loaded.settings.device, loaded.settings.execution_mode
    makers = {card.maker for card in cards}
    allow = 'To use it: device = "auto" and execution_mode = "gpu_allowed"'
    if device == "cuda" and not makers & {"nvidia", "amd"}:
        yield _find(
            "warn",
            f'device = "cuda", from {loaded.sources["device"]}, but no such GPU is here',
            ('Set device = "auto"',),
        )
    elif device == "mps" and "apple" not in makers:
        yield _find(
            "warn", f'device = "mps", from {loaded.sources["device"]}, but this is no Mac with Apple silicon',
            ('Set device = "auto"',),
        )  # fmt: skip
    elif cards and mode == "cpu_only":
        yield _find(
            "info", f'No GPU is used: execution_mode = "cpu_only", from {loaded.sources["execution_mode"]}', (allow,)
        )
    elif cards and device == "cpu":
        yield _find("info", f'No GPU is used: device = "cpu", from {loaded.sources["device"]}', (allow,))
    if "nvidia" in makers and environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        yield _find(
            "warn", "CUDA_VISIBLE_DEVICES in the environment hides every NVIDIA GPU",
            ("Start the daemon without it: unset CUDA_VISIBLE_DEVICES; lofi restart",),
        )  # fmt: skip


def _torch(
    loaded: Loaded,
    cards: Sequence[Card],
    build: TorchBuild,
    installation: Installation,
    within_sec: float,
    ask: Run,
    environ: Mapping[str, str],
) -> Iterator[Finding]:
    """One verdict: does it load, and does it see the GPU that is there?"""
    settings = loaded.settings
    # In a child, for it takes seconds and much memory, and a broken one may crash; with what the worker would see.
    answer = ask((sys.executable, "-P", "-c", _TRY), within_sec, worker_environment(settings, environ))
    if answer.is_late:
        yield _find(
            "info",
            f"{build} did not load within {within_sec:.0f} s",
            (WAITS_LONGER,),
        )
        return
    if answer.problem:
        again = f"{installation.pip()} install --force-reinstall torch"
        yield _find("warn", f"{build} does not load: {answer.problem}", (f"Install it again: {again}",))
        return
    seen = str(json.loads(answer.out.strip().rpartition("\n")[2] or '""'))
    makers = {card.maker for card in cards}
    if seen:
        yield _find("ok", f"{build} sees {seen}")
    elif settings.execution_mode == "cpu_only" or settings.device == "cpu" or not cards:
        yield _find("ok", f"{build} works, on the CPU")
    elif "nvidia" in makers and build.cuda is None:
        yield _find(
            "warn",
            f"An NVIDIA GPU is there, but {build} is no build for it: neural backends use the CPU",
            (f"Install the CUDA build: {installation.with_torch('default')}",),
        )
    elif makers == {"amd"} and build.hip is None:
        rocm = installation.with_torch("rocmX.Y")
        yield _find(
            "warn",
            f"An AMD GPU is there, but {build} is no build for it: neural backends use the CPU",
            (f"Install the ROCm build (X.Y as https://pytorch.org/get-started/locally has it): {rocm}",),
        )  # fmt: skip
    elif needs := _newer_driver(build, cards):
        yield _find("warn", needs, ("Upgrade the NVIDIA driver: https://www.nvidia.com/drivers",))
    else:
        why = answer.complaints.strip().splitlines()
        reason = f": {why[-1].strip()}" if why else ""
        yield _find(
            "warn", f"{build} does not see the GPU{reason}",
            ("See whether the driver works (`nvidia-smi`, `rocminfo`); after its upgrade, restart the machine",),
        )  # fmt: skip


def _newer_driver(build: TorchBuild, cards: Sequence[Card]) -> str | None:
    wanted = _OLDEST_DRIVER.get((build.cuda or "").partition(".")[0])
    for card in cards:
        major = card.driver.partition(".")[0]
        if wanted and card.maker == "nvidia" and major.isdigit() and int(major) < wanted:
            return f"{build} needs NVIDIA's driver {wanted} or newer, and {card.driver} is installed"
    return None
