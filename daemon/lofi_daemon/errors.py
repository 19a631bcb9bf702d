"""The one table of error names and numbers, and the exception that carries them.

A room that meets bad input raises ``LofiError("INVALID_SEED", "say what to do next")``; the protocol
turns it into a JSON-RPC error, the CLI into one line. Nothing else reaches a user.
"""

from __future__ import annotations

from collections.abc import Mapping

CODES: Mapping[str, int] = {
    "PARSE_ERROR": -32700,
    "INVALID_REQUEST": -32600,
    "METHOD_NOT_FOUND": -32601,
    "INVALID_PARAMS": -32602,
    "INTERNAL_ERROR": -32603,
    "MODEL_NOT_FOUND": -32000,
    "MODEL_LOAD_FAILED": -32001,
    "MODEL_DOWNLOAD_FAILED": -32002,
    "MODEL_INFERENCE_FAILED": -32003,
    "QUEUE_FULL": -32004,
    "INVALID_DURATION": -32005,
    "INVALID_PROMPT": -32006,
    "INVALID_BACKEND": -32007,
    "BACKEND_NOT_INSTALLED": -32008,
    "INVALID_INFERENCE_STEPS": -32009,
    "INVALID_GUIDANCE_SCALE": -32010,
    "INVALID_SCHEDULER": -32011,
    "BACKEND_NOT_READY": -32012,
    "GENERATION_CANCELLED": -32013,
    "INVALID_TRACK_ID": -32014,
    "LATENT_NOT_FOUND": -32015,
    "LATENT_MISMATCH": -32016,
    "AUDIO_DEVICE_ERROR": -32017,
    "CACHE_WRITE_ERROR": -32018,
    "INVALID_STAGE": -32019,
    "QUOTA_EXCEEDED": -32020,
    "INVALID_SEED": -32021,
    "JOB_NOT_FOUND": -32022,
    "UNSUPPORTED": -32023,
}


class LofiError(Exception):
    """A named error with a sentence a person can act on.

    ``field`` names the offending parameter; ``details`` says what was expected and what came
    (JSON values only).
    """

    def __init__(self, name: str, message: str, *, field: str | None = None, **details: object) -> None:
        super().__init__(message)
        self.name = name
        self.code = CODES[name]
        self.message = message
        self.field = field
        self.details = details

    def data(self) -> dict[str, object]:
        """The ``data`` member of the JSON-RPC error; ``error_code`` is the name older clients read."""
        data: dict[str, object] = {"code": self.name, "error_code": self.name, "details": self.details}
        if self.field is not None:
            data["field"] = self.field
        return data
