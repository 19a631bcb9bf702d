"""An open output with its mixer, and the voices put on it. Loads numpy: imported on the first play, in a thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import LofiError
from .gain import FloatArray
from .growing_source import open_growing
from .growth import Growth
from .mixer import Mixer
from .output import Output, OutputError
from .source import RingSource, check_file, open_source
from .voice import Voice


@dataclass(eq=False)
class Deck:
    output: Output
    mixer: Mixer
    lost: bool = False
    """Set from the output's thread when its device went away."""
    pulls: int = 0
    """Blocks the device has asked for; it stands still when the device does."""
    sources: dict[Voice, RingSource] = field(default_factory=dict)
    """Of every voice that may still sound. Touched on the event loop only."""

    def position_sec(self, voice: Voice) -> float:
        return self.sources[voice].start_sec + voice.position / self.mixer.rate

    def close_source(self, voice: Voice) -> None:
        self.sources.pop(voice).close()


@dataclass(frozen=True)
class Calls:
    """Made from the output's thread."""

    on_silent: Callable[[Deck, Voice], None]
    on_begun: Callable[[Deck, Voice], None]
    on_lost: Callable[[Deck], None]


@dataclass(frozen=True, eq=False)
class Loaded:
    """A track ready to start on ``deck``."""

    deck: Deck
    voice: Voice
    source: RingSource


def load(
    deck: Deck | None,
    music: Path | Growth,
    start_sec: float,
    open_output: Callable[[], Output],
    level: float,
    calls: Calls,
    trim: float = 1.0,
) -> Loaded:
    """Open ``music``, a file or what is there of a growing track, at ``start_sec``, and an output unless ``deck`` is
    one. Blocks.

    ``trim`` is the amplitude that evens the track's loudness. Raises ``LofiError`` as ``open_source`` and
    ``Outputs.open`` do, and ``NoDeviceError``; a deck opened here is closed again then.
    """
    if isinstance(music, Path):
        check_file(music)  # before the device: a track that is gone is the better thing to say
    opened = deck or _open_deck(open_output, level, calls)
    try:
        source = _open(music, opened.mixer.rate, start_sec)
    except BaseException:
        if deck is None:
            opened.output.close()
        raise
    return Loaded(opened, Voice(source, opened.mixer.fade_frames, trim), source)


def _open(music: Path | Growth, rate: int, start_sec: float) -> RingSource:
    if isinstance(music, Growth):
        return open_growing(music, rate, start_sec=start_sec)
    return open_source(music, rate, start_sec=start_sec)


def _open_deck(
    open_output: Callable[[], Output],
    level: float,
    calls: Calls,
) -> Deck:
    output = open_output()

    def lost() -> None:
        deck.lost = True
        calls.on_lost(deck)

    def render(frames: int) -> FloatArray:
        deck.pulls += 1
        return mixer.render(frames)

    mixer = Mixer(
        output.rate,
        level,
        lambda voice: calls.on_silent(deck, voice),
        lambda voice: calls.on_begun(deck, voice),
        latency_frames=round(output.latency_sec * output.rate),
    )
    deck = Deck(output, mixer)
    try:
        output.start(render, lost)
    except OutputError as exc:
        output.close()
        raise LofiError("AUDIO_DEVICE_ERROR", f"{exc} Close what else uses it, or set player.output.") from exc
    return deck
