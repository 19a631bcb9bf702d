"""The hook asked before anything is queued or loaded. Default: everything is allowed.

A site that meters its users names its own in config.toml (``limit_hook = "package.module:callable"``).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from .errors import LofiError
from .model import StageParams

LimitHook = Callable[[tuple[StageParams, ...]], None]
"""Called with the stages of a request; raises ``LofiError("QUOTA_EXCEEDED", …)`` to refuse it."""


def allow(stages: tuple[StageParams, ...]) -> None:
    """No limits."""


def load(name: str) -> LimitHook:
    """The hook called ``name`` ("package.module:callable"; "" = ``allow``).

    A hook that cannot be loaded refuses everything: a limit that silently vanished would be no limit.
    """
    if not name:
        return allow
    if reason := problem(name):

        def refuse(stages: tuple[StageParams, ...]) -> None:
            raise LofiError("QUOTA_EXCEEDED", f"{reason}; mend or remove it in config.toml.")

        return refuse
    return _find(name)


def problem(name: str) -> str:
    """Why the hook called ``name`` cannot be loaded, "" if it can. Imports it."""
    try:
        _find(name)
    except Exception as error:
        return f"limit_hook {name!r} could not be loaded ({type(error).__name__}: {error})"
    return ""


def _find(name: str) -> LimitHook:
    module, _, attribute = name.partition(":")
    hook: LimitHook = getattr(importlib.import_module(module), attribute)
    return hook


def ask(hook: LimitHook, stages: tuple[StageParams, ...]) -> None:
    """Ask ``hook``; whatever it raises that is not ours becomes a refusal with its words."""
    try:
        hook(stages)
    except LofiError:
        raise
    except Exception as error:
        raise LofiError("QUOTA_EXCEEDED", f"The limit hook refused this request: {error}") from error
