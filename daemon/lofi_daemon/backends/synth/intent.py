"""What the words of a prompt ask for, as data. Known words act; unknown words change nothing.

``read`` walks the words once: a negation (no, not, without, never) turns round the two words after it, an
intensifier scales the next one, the last genre, key and tempo win.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .keyscale import KeyScale, Mode, parse
from .lexicon import (
    CHOICES,
    EFFECTS,
    FACTORS,
    FLAGS,
    INSTRUMENTS,
    INTENSIFIERS,
    NEGATION_REACH,
    NEGATIONS,
    PHRASES,
    SUMS,
    TRANSPARENT,
    Effect,
    Part,
)
from .score import Voice

BPM_MIN, BPM_MAX = 30.0, 300.0
NO_EFFECT = Effect()

Amount = Literal["off", "less", "on", "more"]


@dataclass(frozen=True, slots=True)
class Mention:
    """A part the prompt names: "no drums" is (drums, None, off), "felt piano" is (keys, felt, on)."""

    part: Part
    voice: Voice | None
    amount: Amount


@dataclass(frozen=True, slots=True)
class Intent:
    """``mood`` is the sum of all words' effects; ``None`` = the prompt leaves it to style and seed."""

    bpm: float | None = None
    keyscale: KeyScale | None = None
    mood: Effect = NO_EFFECT
    mentions: tuple[Mention, ...] = ()

    def said(self, part: Part) -> Amount | None:
        """The last thing said of the part as a whole; "no bells" bans a voice, not the lead."""
        for mention in reversed(self.mentions):
            if mention.part == part and (mention.voice is None or mention.amount != "off"):
                return mention.amount
        return None

    def voice(self, part: Part) -> Voice | None:
        """The voice asked for last."""
        for mention in reversed(self.mentions):
            if mention.part == part and mention.voice and mention.amount != "off":
                return mention.voice
        return None

    def banned(self, voice: Voice) -> bool:
        """Whether the prompt rules the voice out."""
        return any(m.voice == voice and m.amount == "off" for m in self.mentions)


def read(prompt: str) -> Intent:
    """The intent of any text: never raises, and words it does not know change nothing."""
    text = unicodedata.normalize("NFKC", prompt).replace("♯", "#").replace("♭", "b").replace("’", "'")
    text, bpm = _take_bpm(text)
    text, keyscale = _take_key(text)
    effects: list[tuple[Effect, float]] = []
    mentions: list[Mention] = []
    for word, scale in _scaled_words(text.casefold()):
        if word in EFFECTS:
            effects.append((EFFECTS[word], scale))
        if word in INSTRUMENTS:
            mentions.append(Mention(*INSTRUMENTS[word], _amount(scale)))
    return Intent(bpm, keyscale, _sum(effects), tuple(mentions))


def _amount(scale: float) -> Amount:
    if scale < 0:
        return "off" if scale <= -1 else "less"
    return "more" if scale > 1 else "on"


_NUMBER = r"(\d{1,3}(?:\.\d+)?)"
_BPM = re.compile(
    rf"(?<![\w.]){_NUMBER}(?:\s*[-–—]\s*{_NUMBER})?\s*-?(?:bpm|beats\s+per\s+minute)\b"
    rf"|\b(?:bpm|tempo)\s*(?:of|at|is|:|=)?\s*{_NUMBER}(?![\d.]*\d)",
    re.IGNORECASE,
)


def _take_bpm(text: str) -> tuple[str, float | None]:
    """The last tempo written out, and the text without any. A range means its middle."""
    bpm = None
    for match in _BPM.finditer(text):
        low, high, after = match.groups()
        value = float(after) if after else (float(low) + float(high or low)) / 2
        if BPM_MIN <= value <= BPM_MAX:
            bpm = value
    return _BPM.sub(" , ", text), bpm


_KEY = re.compile(
    r"(?P<cue>\b(?:in|key|of|key:)\s+)?"
    r"(?<![\w#'])(?P<note>[A-G])(?P<accidental>#|b|[ -]sharp\b|[ -]flat\b)?"
    r"(?:(?P<short>m|min|maj)|[ -]*(?P<mode>major|minor|maj|min|dorian|lydian|ionian|aeolian|natural minor))?"
    r"(?![\w#'])",
    re.IGNORECASE,
)


def _take_key(text: str) -> tuple[str, KeyScale | None]:
    """The last key named, and the text without any. "a minor delay" and "I am in" hold none."""
    found: KeyScale | None = None

    def take(match: re.Match[str]) -> str:
        nonlocal found
        if not _is_key(match):
            return match[0]
        accidental = (match["accidental"] or "").casefold().replace(" ", "-")
        found = parse(f"{match['note']}{accidental} {match['mode'] or match['short'] or ''}")
        return " , "

    return _KEY.sub(take, text), found


def _is_key(match: re.Match[str]) -> bool:
    note, altered, cued = match["note"], bool(match["accidental"]), bool(match["cue"])
    if match["mode"]:
        return note != "a" or altered or cued
    if match["short"]:
        return note.isupper() and (note != "A" or altered or cued)
    rest = match.string[match.end() :].lstrip()
    return cued and note.isupper() and (not rest or rest[0] in ",.;:!?)")


def _scaled_words(text: str) -> Iterator[tuple[str, float]]:
    """(word, scale) in order: 1 plain, 1.5 very, .5 slightly, −.5 less, −1 under a negation."""
    for expression, word in PHRASES:
        text = re.sub(rf"(?<!\w)(?:{expression})(?!\w)", f" {word} ", text)
    reach, scale = 0, 1.0
    for sign in re.findall(r"[\w#']+|[^\w\s]|\n", text):
        if sign in NEGATIONS:
            reach, scale = NEGATION_REACH, 1.0
        elif sign in INTENSIFIERS:
            scale *= INTENSIFIERS[sign]
        elif not sign.strip("'_").isalnum():
            if sign in ",.;:!?()\n":
                reach, scale = 0, 1.0
        elif sign not in TRANSPARENT:
            yield _known_form(sign), -max(1.0, abs(scale)) if reach else scale
            reach, scale = max(0, reach - 1), 1.0


def _known_form(word: str) -> str:
    """The word as the lexicon has it: itself, or without a plural, possessive or -ing ending."""
    for ending in ("", "'s", "s", "es", "ing"):
        stem = word.removesuffix(ending)
        if stem in EFFECTS or stem in INSTRUMENTS:
            return stem
    return word


_LIMITS = {"energy": 1.0, "valence": 1.0, "brightness": 1.5, "tempo": 25.0, "swing": 8.0, "late_ms": 12.0,
           "register": 7.0, "pad_db": 9.0, "rain": 2.0, "thunder": 2.0, "ocean": 2.0}  # fmt: skip
_OPPOSITE: dict[Mode, Mode] = {"minor": "major", "dorian": "major", "major": "minor", "lydian": "minor"}


def _sum(effects: list[tuple[Effect, float]]) -> Effect:
    """All words' effects as one (see ``Effect``); sums and factors are kept to a sane reach."""
    total: dict[str, object] = {}
    for name in SUMS:
        value = sum(getattr(effect, name) * scale for effect, scale in effects)
        total[name] = max(-_LIMITS[name], min(_LIMITS[name], value))
    for name in FACTORS:
        factor = 1.0
        for effect, scale in effects:
            factor *= getattr(effect, name) ** scale
        total[name] = max(0.3, min(3.0, factor))
    for name in CHOICES + FLAGS:
        nothing = getattr(NO_EFFECT, name)
        current = nothing
        for effect, scale in effects:
            value = getattr(effect, name)
            if value == nothing:
                continue
            if scale > 0:
                current = value
            elif name == "colour":
                current = _OPPOSITE[value]
            elif current == value:
                current = nothing
        total[name] = current
    return Effect(**total)  # type: ignore[arg-type]
