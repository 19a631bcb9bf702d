"""The published config.json of a 1.5 model, as arguments of diffusers' modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import LoadError

_SHARED = ("head_dim", "rope_theta", "attention_bias", "attention_dropout", "rms_norm_eps", "sliding_window")
_SIZES = ("hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads")

Config = Mapping[str, Any]


def is_xl(config: Config) -> bool:
    """XL: the encoder has a width of its own, and its timbre encoder a token of its own."""
    return config.get("encoder_hidden_size") not in (None, config.get("hidden_size"))


def transformer(config: Config) -> dict[str, Any]:
    """The arguments of ``AceStepTransformer1DModel``."""
    names = (*_SIZES, *_SHARED, "num_hidden_layers", "in_channels", "audio_acoustic_hidden_dim", "patch_size")
    optional = ("layer_types", "encoder_hidden_size", "is_turbo", "model_version")
    return _take(config, names, ("num_hidden_layers", *_SIZES)) | {n: config[n] for n in optional if n in config}


def encoder(config: Config) -> dict[str, Any]:
    """The arguments of ``AceStepConditionEncoder``."""
    layers = ("num_lyric_encoder_hidden_layers", "num_timbre_encoder_hidden_layers")
    return _narrow(config, (*layers, "text_hidden_dim", "timbre_hidden_dim"), layers)


def tokenizer(config: Config) -> dict[str, Any]:
    """The arguments of ``AceStepAudioTokenizer``."""
    names = ("fsq_dim", "fsq_input_levels", "fsq_input_num_quantizers")
    return detokenizer(config) | _take(config, names, names)


def detokenizer(config: Config) -> dict[str, Any]:
    """The arguments of ``AceStepAudioTokenDetokenizer``."""
    names = ("audio_acoustic_hidden_dim", "pool_window_size", "num_attention_pooler_hidden_layers")
    return _narrow(config, names, ("num_attention_pooler_hidden_layers",))


def _narrow(config: Config, names: tuple[str, ...], needed: tuple[str, ...]) -> dict[str, Any]:
    """Of everything but the transformer: in XL it has the sizes of the encoder."""
    sizes = {name: config.get(f"encoder_{name}", config.get(name)) for name in _SIZES}
    if any(size is None for size in sizes.values()):
        raise _incomplete([name for name, size in sizes.items() if size is None])
    return _take(config, (*_SHARED, *names), needed) | sizes


def _take(config: Config, names: tuple[str, ...], needed: tuple[str, ...]) -> dict[str, Any]:
    missing = [name for name in needed if name not in config]
    if missing:
        raise _incomplete(missing)
    return {name: config[name] for name in names if name in config}


def _incomplete(names: list[str]) -> LoadError:
    return LoadError(f"config.json says nothing of {', '.join(names)}: it is not that of an ACE-Step 1.5 model.")
