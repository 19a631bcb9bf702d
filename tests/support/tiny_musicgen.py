"""Tiny random MusicGens in the published layout, and transformers' own answers to compare ours with.

Imports torch and transformers: tests get at this module through the fixture ``lab`` of tests/musicgen/conftest.py, so
that the workers that run other tests never load them.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    EncodecConfig,
    GenerationConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    T5Config,
)

from lofi_daemon.backends.base import Equipment, Origin
from lofi_daemon.backends.musicgen.checkpoint import Checkpoint, open_checkpoint
from lofi_daemon.backends.musicgen.crew import Cores
from lofi_daemon.backends.musicgen.decoder import Embeddings, Layers, Text
from lofi_daemon.backends.musicgen.native_decoder import NativeDecoder, Weights
from lofi_daemon.backends.musicgen.sampling import Sampling
from lofi_daemon.backends.musicgen.tokens import generate_codes
from lofi_daemon.backends.musicgen.torch_decoder import TorchDecoder, TorchWeights, quantise
from lofi_daemon.model import StageParams

torch.set_num_threads(1)  # several files are tested at a time, on few cores
torch.set_grad_enabled(False)

VOCABULARY = 64
RATE = 6400
"""Samples a second; the published ones have 32,000. 640 of them are a frame, so there are ten frames a second."""
WORDS = ("<pad>", "</s>", "<unk>", "rain", "piano", "slow", "jazz")
PROMPTS = [[3, 4, 5, 6, 1], [5, 3, 1, 0, 0], [6, 1, 0, 0, 0], [4, 4, 4, 1, 0]]
"""Of different lengths, padded with zeros."""


@dataclass(frozen=True)
class Tiny:
    """``model`` is transformers', of the same files."""

    folder: Path
    model: Any

    @property
    def checkpoint(self) -> Checkpoint:
        return open_checkpoint(self.folder)


def make(folder: Path, channels: int = 1, rate: int = RATE, **decoder: Any) -> Tiny:
    """``decoder`` overrides its configuration."""
    torch.manual_seed(1)
    sizes = {
        "vocab_size": VOCABULARY, "num_hidden_layers": 3, "hidden_size": 96, "ffn_dim": 160, "num_attention_heads": 4,
        "num_codebooks": 4 * channels, "audio_channels": channels, "pad_token_id": VOCABULARY,
        "bos_token_id": VOCABULARY,
    } | decoder  # fmt: skip
    text = T5Config(vocab_size=100, d_model=48, d_kv=12, d_ff=64, num_layers=2, num_heads=4)
    codec = EncodecConfig(
        sampling_rate=rate, audio_channels=1, num_filters=4, upsampling_ratios=[8, 5, 4, 4], codebook_size=VOCABULARY,
        hidden_size=16, codebook_dim=16, use_causal_conv=False, use_conv_shortcut=False,
        target_bandwidths=[4 * 6 * rate / 640 / 1000],
    )  # fmt: skip
    config = MusicgenConfig(
        text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=MusicgenDecoderConfig(**sizes).to_dict()
    )
    model = MusicgenForConditionalGeneration(config).eval()
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1 and name.startswith(("decoder", "enc_to_dec")):
            parameter.normal_(0, 0.12)  # so large that the likeliest token is likeliest by far
    for name, buffer in model.named_buffers():
        if name.endswith("embed"):
            buffer.normal_(0, 1)
    model.generation_config = GenerationConfig(
        do_sample=True, guidance_scale=3.0, max_length=1500, decoder_start_token_id=VOCABULARY,
        pad_token_id=VOCABULARY, bos_token_id=VOCABULARY,
    )  # fmt: skip
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return Tiny(folder, model)


def save_tokenizer(folder: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>",
    }  # fmt: skip
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def rounded(tiny: Tiny, folder: Path, precision: str) -> Tiny:
    """The same with the decoder's matrices as ``precision`` keeps them, in float32."""
    shutil.copytree(tiny.folder, folder)
    tensors = load_file(tiny.folder / "model.safetensors")
    for name, tensor in tensors.items():
        if tensor.dim() == 2 and name.startswith("decoder") and "embed" not in name and "encoder_attn.k" not in name:
            if precision == "int8":
                small, scale = quantise(tensor)
                tensors[name] = small * scale[:, None]
            else:
                tensors[name] = tensor.to(getattr(torch, precision)).float()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    return Tiny(folder, None)


# ── transformers' answers ──


def prompts(batch: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask [batch, 5]."""
    ids = torch.tensor(PROMPTS[:batch])
    return ids, (ids != 0).long()


def their_codes(tiny: Tiny, batch: int, frames: int, seed: int, **how: Any) -> torch.Tensor:
    """What ``generate`` hands to its codec: [batch, codebooks, frames]."""
    ids, mask = prompts(batch)
    seen: list[torch.Tensor] = []
    codec = tiny.model.audio_encoder
    decode = codec.decode

    def decode_and_keep(codes: torch.Tensor, *arguments: Any, **named: Any) -> Any:
        seen.append(codes[0].clone())
        return decode(codes, *arguments, **named)

    codec.decode = decode_and_keep
    try:
        torch.manual_seed(seed)
        tiny.model.generate(input_ids=ids, attention_mask=mask, max_length=frames + 4, **how)
    finally:
        codec.decode = decode
    return seen[0] if len(seen) == 1 else torch.stack(seen, 2).flatten(1, 2)


def their_samples(tiny: Tiny, codes: torch.Tensor) -> torch.Tensor:
    """[batch, channels, samples]."""
    channels = tiny.model.config.decoder.audio_channels
    scales = [None] * codes.shape[0]
    parts = [
        tiny.model.audio_encoder.decode(codes[None][:, :, side::channels], audio_scales=scales).audio_values
        for side in range(channels)
    ]
    return torch.cat(parts, 1)


# ── ours ──


def layers(
    tiny: Tiny, library: Any, sequences: int, positions: int, precision: Any = "float32", threads: int = 2
) -> Layers:
    """The C step's, or torch's where ``library`` is None."""
    if library is None:
        return TorchDecoder(TorchWeights(tiny.checkpoint, precision, torch.device("cpu")), sequences, positions)
    return NativeDecoder(library, Weights(library, tiny.checkpoint, precision), sequences, positions, Cores(threads))


def text_of(tiny: Tiny, batch: int, guided: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What ``Layers.text`` takes for the padded prompts."""
    ids, mask = prompts(batch)
    states = tiny.model.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    seen = mask.float()
    if guided:
        states, seen = torch.cat([states, torch.zeros_like(states)]), torch.cat([seen, torch.zeros_like(seen)])
    return Text(tiny.checkpoint).keys_values(states, seen)


def our_codes(
    tiny: Tiny,
    library: Any,
    batch: int,
    frames: int,
    seed: int,
    sampling: Sampling,
    known: torch.Tensor | None = None,
) -> torch.Tensor:
    """As ``their_codes``; after ``known`` codes only what follows."""
    checkpoint = tiny.checkpoint
    sequences = batch * (2 if sampling.guided else 1)
    made = layers(tiny, library, sequences, checkpoint.decoder.delays.positions(frames))
    try:
        made.text(*text_of(tiny, batch, sampling.guided))
        generators = (torch.Generator().manual_seed(seed),)
        steps = generate_codes(
            made, Embeddings(checkpoint), checkpoint.decoder, frames, sampling, generators, batch, known
        )
        return torch.cat(list(steps), 2)
    finally:
        made.close()


class Context:
    """A ``RenderContext`` that remembers. ``stop_at``: the number of the step at which to raise ``stop``."""

    def __init__(self, folder: Path, precision: str = "float32", device: str = "cpu") -> None:
        self.equipment = Equipment("tiny", (str(folder),), precision, device)
        self.heard = False
        self.parts: list[Any] = []
        self.steps: list[tuple[int, int]] = []
        self.notices: list[str] = []
        self.starts_from: Origin | None = None
        self.stop_at = 0
        self.stop: BaseException = KeyboardInterrupt()

    @property
    def sound(self) -> Any:
        return np.concatenate(self.parts)

    def step(self, done: int, total: int) -> None:
        self.steps.append((done, total))
        if len(self.steps) == self.stop_at:
            raise self.stop

    def origin(self) -> Origin | None:
        return self.starts_from

    def notice(self, level: str, message: str) -> None:
        self.notices.append(message)

    def audio(self, samples: Any, sample_rate: int) -> None:
        self.heard = True
        self.parts.append(samples)


def params(seconds: float, **more: Any) -> StageParams:
    return StageParams(**{"backend": "musicgen", "prompt": "slow piano", "duration_sec": seconds, "seed": 3} | more)
