"""The composer as the front sees it; imports no numpy."""

from ..base import BackendInfo

SINGS_NOT = "The built-in composer has no voice: the track is instrumental. Name an ACE-Step backend for lyrics."

INFO = BackendInfo(
    type="synth",
    name="Built-in composer",
    min_duration_sec=5,
    max_duration_sec=600,
    sample_rate=44_100,
    # Part of every track id: raise it with any change that moves a sample.
    model_version="synth-1",
    stage_types=("generate",),
    takes=frozenset({"instrumental", "bpm", "keyscale", "timesignature"}),
    ignores={"vocal_language": SINGS_NOT},
    defaults=lambda settings, asked: {"instrumental": True},
)
