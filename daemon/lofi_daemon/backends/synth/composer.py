"""A prompt becomes a score: decide, plan the form, lay the harmony, let each player play.

Deterministic: the same arguments give the same score on every platform and Python version.
"""

from __future__ import annotations

from collections.abc import Sequence

from . import bass, comping, drums, ending, form, melody, mood
from .arrangement import Block, arrange, level_db
from .brief import Brief, decide
from .dice import Dice
from .events import Parts
from .form import Part
from .groove import Feel, perform
from .harmony import Changes, Plan, lay_out
from .intent import Intent, read
from .keyscale import parse, parse_timesignature
from .score import Chord, Score, Section
from .sustain import fill_rests
from .timing import Grid, fit, rubato, steady
from .tonality import clarity
from .variety import make_distinct

PASSAGE_BARS = 8
HALF_TIME_BPM = {"lofi_house": 150.0}
HALF_TIME_DEFAULT_BPM = 126.0
HALF_TIME_WALTZ_BPM = 200.0
"""Above these, players think in half the tempo: 150 bpm is felt as 75 with twice as many bar lines."""


def compose(
    prompt: str,
    duration_sec: float,
    seed: int,
    *,
    bpm: float | None = None,
    keyscale: str | None = None,
    timesignature: str | None = None,
) -> Score:
    """The piece for a prompt; explicit parameters win over its words.

    ``duration_sec`` 5…600, ``seed`` 0…2^64−1, ``bpm`` 30…300. Raises ``LofiError`` INVALID_PARAMS for a
    key or a time signature that cannot be read; the prompt itself never raises.
    """
    intent = read(prompt)
    beats = int(parse_timesignature(timesignature)[0]) if timesignature is not None else None
    brief = decide(intent, seed, parse(keyscale) if keyscale is not None else None, beats)
    grid, pulse, bars_per_bar, cadence_beats = _time(brief, intent, duration_sec, seed, bpm)
    steps = grid.steps
    last_step = (grid.bars - 1) * steps + 4 * cadence_beats
    parts = form.plan(grid.bars, brief.profile.unit, Dice(seed, "form"))
    blocks = arrange(brief, parts, Dice(seed, "arrangement"))
    plan = _harmonic_plan(brief, intent, grid, seed)
    changes, written = _clearest(brief, plan, parts, blocks, steps, last_step, seed)
    make_distinct(written, changes, steps, last_step, PASSAGE_BARS // bars_per_bar, Dice(seed, "variety"))
    ending.close(written, brief, blocks[-1], changes.slots[-1], Dice(seed, "ending"))
    fill_rests(written)
    feel = Feel(brief.late, brief.dilla, brief.soft, strum=Dice(seed, "strum").between(0.007, 0.013))
    layers = perform(written, grid, feel, seed)

    bar_starts = _bar_starts(grid, bars_per_bar)
    return Score(
        seed=seed,
        style=brief.style,
        bpm=pulse * bars_per_bar,
        beats_per_bar=grid.beats,
        tonic=brief.key.tonic,
        mode=brief.key.mode,
        swing=grid.swing,
        duration=duration_sec,
        bar_starts=bar_starts,
        sections=_sections(brief, parts, bar_starts, bars_per_bar, seed),
        chords=_chords(brief, changes, grid),
        layers=layers,
        mix=mood.mix(intent, brief, Dice(seed, "mix")),
    )


CLEAR = 0.08
"""What ``tonality.clarity`` must say of a piece whose key was asked for, or it is written again."""
DRAFTS = 6
LONG_STEPS = 2_000
"""From here on (some six minutes) fewer drafts do: long pieces even out, and each costs more."""


def _clearest(
    brief: Brief, plan: Plan, parts: Sequence[Part], blocks: Sequence[Block], steps: int, end: int, seed: int
) -> tuple[Changes, Parts]:
    """All players' parts. If the listener asked for the key, the draft that states it best of a few."""
    best: tuple[float, Changes, Parts] | None = None
    drafts = 1 if not brief.strict_key else DRAFTS if end < LONG_STEPS else DRAFTS // 2
    for draft in range(drafts):
        changes = Changes(lay_out(plan, parts, steps, end, seed, draft))
        written: Parts = {
            "keys": comping.play(brief, blocks, changes, steps, end, Dice(seed, "keys")),
            "lead": melody.play(brief, brief.key, blocks, changes, steps, end, Dice(seed, "lead")),
            "bass": bass.play(brief, blocks, changes, steps, end, Dice(seed, "bass")),
            "pad": comping.pad(brief, blocks, changes, steps, end, Dice(seed, "pad")),
        }
        found = clarity(_heard(written, steps), brief.key) if brief.strict_key else 0.0
        if best is None or found > best[0]:
            best = (found, changes, written)
        if found >= CLEAR:
            break
    assert best is not None
    return best[1], {**best[2], **drums.play(brief, blocks, steps, end, Dice(seed, "drums"))}


def _heard(written: Parts, steps: int) -> list[float]:
    """How much each pitch class is heard, notes counting for at most half a bar.

    The bass counts less: its fundamentals lie below where small speakers and key finders begin.
    """
    weights = [0.0] * 12
    for layer, events in written.items():
        share = 0.6 if layer == "bass" else 1.0
        for event in events:
            weights[event.pitch % 12] += share * min(event.length, steps / 2) * event.velocity
    return weights


def _time(brief: Brief, intent: Intent, duration: float, seed: int, bpm: float | None) -> tuple[Grid, float, int, int]:
    """(grid, its tempo, notated bars per felt bar, beats before the final chord in the last bar)."""
    low, high = brief.profile.bpm
    shift = intent.mood.tempo
    asked = bpm if bpm is not None else intent.bpm
    felt = float(asked) if asked is not None else Dice(seed, "tempo").between(low, high) + shift
    bars_per_bar = 1
    limit = HALF_TIME_WALTZ_BPM if brief.beats == 3 else HALF_TIME_BPM.get(brief.style, HALF_TIME_DEFAULT_BPM)
    if felt > limit:
        felt, bars_per_bar = felt / 2, 2
    around = (low + shift, high + shift)
    fitted = fit(duration, felt, brief.beats, exact=asked is not None, range_bpm=around)
    if brief.style == "piano_ballad" and not brief.drums:
        exact = asked is not None
        grid, tempo = rubato(
            fitted, brief.beats, duration, depth=0.008 if exact else 0.02, ritardando=0.0 if exact else 0.12,
            phase=Dice(seed, "rubato").unit(),
        )  # fmt: skip
        return grid, felt if exact else tempo, bars_per_bar, fitted.cadence_beats
    return steady(fitted, brief.beats, brief.swing, duration), fitted.bpm, bars_per_bar, fitted.cadence_beats


def _harmonic_plan(brief: Brief, intent: Intent, grid: Grid, seed: int) -> Plan:
    """How fast chords change; a slow bar gets more of them."""
    dice = Dice(seed, "rhythm of harmony")
    per_chord = dice.weighted(brief.profile.bars_per_chord)
    bar_sec = grid.bar_start(1) if grid.bars > 1 else grid.duration
    while per_chord > 0.5 and per_chord * bar_sec > (9.0 if brief.style == "ambient" else 6.5):
        per_chord /= 2
    if per_chord < 1 and (per_chord * bar_sec < 1.1 or grid.beats == 3):
        per_chord = 1.0
    centre = brief.profile.centre + 0.5 * brief.register + dice.between(-0.7, 0.7)
    return Plan(
        brief.key, per_chord, brief.profile.jazz * (0.4 if brief.minimal else 1.0), brief.strict_key,
        intent.mood.progression, max(58.0, min(65.0, centre)),
    )  # fmt: skip


def _bar_starts(grid: Grid, bars_per_bar: int) -> tuple[float, ...]:
    """Starts of the notated bars, and the end of the piece."""
    starts: list[float] = []
    for bar in range(grid.bars):
        starts.append(grid.bar_start(bar))
        middle = grid.seconds(bar * grid.steps + grid.steps / 2)
        if bars_per_bar == 2 and middle < grid.duration - 0.25:
            starts.append(middle)
    return (*starts, grid.duration)


def _sections(
    brief: Brief, parts: Sequence[Part], bar_starts: tuple[float, ...], bars_per_bar: int, seed: int
) -> tuple[Section, ...]:
    dice = Dice(seed, "sections")
    bars = len(bar_starts) - 1
    sections: list[Section] = []
    for index, part in enumerate(parts):
        first = part.first_bar * bars_per_bar
        end = bars if index == len(parts) - 1 else (part.last_bar + 1) * bars_per_bar
        start = bar_starts[first]
        low, high = _filter(part, dice)
        sections.append(
            Section(
                part.name, first, end - first, start, bar_starts[end] - start, level_db(brief, part, dice), low, high
            )
        )
    return tuple(sections)


OPEN_HZ = 20_000.0


def _filter(part: Part, dice: Dice) -> tuple[float, float]:
    """Where the section's low-pass glides from and to."""
    roll = dice.unit()
    if part.name == "breakdown":
        return 1_500.0, 9_000.0
    if part.name == "link":
        return 2_000.0, 9_000.0
    if part.name == "intro" and part.bars >= 2 and roll < 0.55:
        return dice.between(1_200, 2_500), 9_000.0
    if part.name == "outro" and part.bars >= 2 and roll < 0.6:
        return OPEN_HZ, 3_000.0
    return OPEN_HZ, OPEN_HZ


def _chords(brief: Brief, changes: Changes, grid: Grid) -> tuple[Chord, ...]:
    out: list[Chord] = []
    for slot in changes.slots:
        start = grid.seconds(slot.step)
        end = min(grid.duration, grid.seconds(slot.step + slot.steps))
        if slot is changes.slots[-1]:
            end = grid.duration
        out.append(Chord(start, end - start, slot.chord.root, slot.chord.symbol(brief.key), slot.voicing))
    return tuple(out)
