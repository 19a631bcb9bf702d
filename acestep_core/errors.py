"""What can go wrong, each with a sentence that says what to do. Who embeds the core gives them names of his own."""

from __future__ import annotations


class AceStepError(Exception):
    """Any error that the core raises on purpose."""


class ScheduleError(AceStepError):
    """A grid of timesteps that cannot be walked, or a place on it that is not there."""


class SettingError(AceStepError):
    """A setting that does not exist, is out of range, or that this model has no use for."""


class ConditionError(AceStepError):
    """What the model is told does not fit together: shapes, masks, lengths."""


class ResumeError(AceStepError):
    """A latent or checkpoint from which this run cannot go on."""


class LoadError(AceStepError):
    """Weights that are missing, damaged, or not those of this model."""


class NotFiniteError(AceStepError):
    """The latent became NaN or infinite. ``step`` counts from 0."""

    def __init__(self, step: int, total: int) -> None:
        super().__init__(
            f"The latent was no longer finite after step {step + 1} of {total}: try float32, or less guidance."
        )
        self.step = step
        self.total = total
