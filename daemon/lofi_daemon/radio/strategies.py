"""What the radio plays next. Pure: chance comes in from outside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, get_args

from ..errors import LofiError
from ..stages.resolve import MAX_PROMPT
from .presets import Preset

Strategy = Literal["same_prompt", "preset_cycle", "random_preset", "library"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


@dataclass(frozen=True, slots=True)
class Mood:
    """What one track is to be: ``preset`` names where it comes from, None = the user's own words."""

    prompt: str
    preset: str | None = None
    bpm: int | None = None
    keyscale: str | None = None


@dataclass(frozen=True, slots=True)
class Programme:
    """A strategy and what it chooses from; never without moods."""

    strategy: Strategy
    moods: tuple[Mood, ...]


def programme(
    strategy: str | None,
    prompt: str | None,
    names: Sequence[str] | None,
    presets: Sequence[Preset],
    default: Strategy,
) -> Programme:
    """The programme a listener asked for. None = left open.

    A prompt alone means same_prompt, several presets alone preset_cycle, else ``default`` decides. ``library``
    keeps the moods for when the library is empty. Raises INVALID_PARAMS (field strategy or presets), INVALID_PROMPT.
    """
    chosen = _strategy(strategy, prompt, names, default)
    if prompt is not None:
        if names:
            raise LofiError("INVALID_PARAMS", "Give a prompt or presets, not both.", field="presets", got=list(names))
        if chosen in ("preset_cycle", "random_preset"):
            raise LofiError(
                "INVALID_PARAMS", f"{chosen} plays presets and has no use for a prompt; leave out one of the two.",
                field="strategy", expected="same_prompt", got=chosen,
            )  # fmt: skip
        return Programme(chosen, (Mood(_prompt(prompt)),))
    moods = tuple(_mood(preset) for preset in _named(names, presets))
    if chosen == "same_prompt":
        if names and len(moods) > 1:
            raise LofiError(
                "INVALID_PARAMS", "same_prompt plays one preset; name one, or use preset_cycle or random_preset.",
                field="presets", expected=1, got=list(names),
            )  # fmt: skip
        moods = moods[:1]
    return Programme(chosen, moods)


def next_mood(programme: Programme, last: Mood | None, chance: Random) -> Mood:
    """The mood of the next track after one of mood ``last``: the same, the next in the round, or any other."""
    moods = programme.moods
    if programme.strategy in ("same_prompt", "library"):
        return moods[0]
    if programme.strategy == "preset_cycle":
        return moods[(moods.index(last) + 1) % len(moods)] if last in moods else moods[0]
    return chance.choice([mood for mood in moods if mood != last] or list(moods))


def _strategy(strategy: str | None, prompt: str | None, names: Sequence[str] | None, default: Strategy) -> Strategy:
    if strategy is None:
        if prompt is not None:
            return "same_prompt"
        if names and default in ("same_prompt", "library"):
            return "preset_cycle" if len(names) > 1 else "same_prompt"
        return default
    if strategy not in STRATEGIES:
        raise LofiError(
            "INVALID_PARAMS", f"There is no strategy “{strategy}”; choose one of {', '.join(STRATEGIES)}.",
            field="strategy", expected=list(STRATEGIES), got=strategy,
        )  # fmt: skip
    return strategy


def _prompt(prompt: str) -> str:
    text = prompt.strip()
    if not 1 <= len(text) <= MAX_PROMPT:
        raise LofiError(
            "INVALID_PROMPT", f"A prompt has 1 to {MAX_PROMPT} characters, this one {len(text)}.",
            field="prompt", expected=f"1–{MAX_PROMPT} characters", got=len(text),
        )  # fmt: skip
    return text


def _named(names: Sequence[str] | None, presets: Sequence[Preset]) -> list[Preset]:
    """The presets called ``names``, each once, in that order; all without names."""
    if not names:
        return list(presets)
    known = {preset.name: preset for preset in presets}
    for name in names:
        if name not in known:
            raise LofiError(
                "INVALID_PARAMS", f"There is no preset “{name}”; presets_list shows them, config.toml takes more.",
                field="presets", expected=list(known), got=name,
            )  # fmt: skip
    return [known[name] for name in dict.fromkeys(names)]


def _mood(preset: Preset) -> Mood:
    return Mood(preset.prompt, preset.name, preset.bpm, preset.keyscale)
