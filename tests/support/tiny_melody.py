"""Tiny random MusicGen-melodies in the published layout, and melodies to follow. Imported as ``tiny_musicgen`` is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from support import tiny_musicgen as lab
from transformers import (
    EncodecConfig,
    GenerationConfig,
    MusicgenMelodyConfig,
    MusicgenMelodyDecoderConfig,
    MusicgenMelodyForConditionalGeneration,
    T5Config,
)
from transformers.audio_utils import chroma_filter_bank
from transformers.models.musicgen_melody.feature_extraction_musicgen_melody import MusicgenMelodyFeatureExtractor

from lofi_daemon.backends.musicgen.decoder import Embeddings
from lofi_daemon.backends.musicgen.melody import Prefix
from lofi_daemon.backends.musicgen.sampling import Sampling
from lofi_daemon.backends.musicgen.tokens import generate_codes


def make(folder: Path, channels: int = 1, chroma_length: int = 11) -> lab.Tiny:
    torch.manual_seed(1)
    decoder = MusicgenMelodyDecoderConfig(
        vocab_size=lab.VOCABULARY, num_hidden_layers=3, hidden_size=96, ffn_dim=160, num_attention_heads=4,
        num_codebooks=4 * channels, audio_channels=channels, pad_token_id=lab.VOCABULARY, bos_token_id=lab.VOCABULARY,
    )  # fmt: skip
    text = T5Config(vocab_size=100, d_model=48, d_kv=12, d_ff=64, num_layers=2, num_heads=4)
    codec = EncodecConfig(
        sampling_rate=32_000, audio_channels=1, num_filters=4, upsampling_ratios=[8, 5, 4, 4],
        codebook_size=lab.VOCABULARY, hidden_size=16, codebook_dim=16, use_causal_conv=False, use_conv_shortcut=False,
        target_bandwidths=[1.2],
    )  # fmt: skip
    config = MusicgenMelodyConfig(
        text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict(),
        chroma_length=chroma_length,
    )  # fmt: skip
    model = MusicgenMelodyForConditionalGeneration(config).eval()
    for name, parameter in model.named_parameters():
        if name.startswith(("decoder", "enc_to_dec", "audio_enc_to_dec")) and (parameter.dim() > 1 or "proj" in name):
            parameter.normal_(0, 0.12)
    for name, buffer in model.named_buffers():
        if name.endswith("embed"):
            buffer.normal_(0, 1)
    model.generation_config = GenerationConfig(
        do_sample=True, guidance_scale=3.0, max_length=1500, decoder_start_token_id=lab.VOCABULARY,
        pad_token_id=lab.VOCABULARY, bos_token_id=lab.VOCABULARY,
    )  # fmt: skip
    model.save_pretrained(folder)
    lab.save_tokenizer(folder)
    return lab.Tiny(folder, model)


def notes(batch: int, frames: int) -> torch.Tensor:
    """[batch, frames, 12], another one in each frame."""
    chance = torch.Generator().manual_seed(5)
    return torch.eye(12)[torch.randint(0, 12, (batch, frames), generator=chance)]


def our_codes(
    tiny: lab.Tiny, library: Any, batch: int, frames: int, seed: int, sampling: Sampling, chroma: torch.Tensor | None
) -> torch.Tensor:
    """As ``tiny_musicgen.our_codes``; ``chroma`` is what ``their_codes`` takes as input_features."""
    checkpoint = tiny.checkpoint
    ids, mask = lab.prompts(batch)
    states = tiny.model.text_encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    prefix = Prefix(checkpoint)(states, mask.float(), chroma, sampling.guided)
    positions = checkpoint.decoder.before(ids.shape[1]) + checkpoint.decoder.delays.positions(frames)
    made = lab.layers(tiny, library, len(prefix), positions)
    try:
        generators = (torch.Generator().manual_seed(seed),)
        steps = generate_codes(
            made, Embeddings(checkpoint), checkpoint.decoder, frames, sampling, generators, batch, prefix=prefix
        )
        return torch.cat(list(steps), 2)
    finally:
        made.close()


def their_chroma(mono: np.ndarray) -> np.ndarray:
    """By transformers' extractor, its spectrogram made by torch.stft, which is what torchaudio calls."""
    window = torch.hann_window(16_384)

    def spectrogram(sound: torch.Tensor) -> torch.Tensor:
        made = torch.stft(sound, 16_384, 4_096, window=window, center=True, return_complex=True)
        return (made / window.pow(2).sum().sqrt()).abs() ** 2

    bank = chroma_filter_bank(num_frequency_bins=16_384, num_chroma=12, sampling_rate=32_000)
    itself = SimpleNamespace(n_fft=16_384, spectrogram=spectrogram, chroma_filters=torch.from_numpy(bank).float())
    extract = MusicgenMelodyFeatureExtractor._torch_extract_fbank_features
    return extract(itself, torch.from_numpy(mono)[None])[0].numpy()


def melody(pitches: list[int], sample_rate: int = 32_000, seconds: float = 1.0) -> np.ndarray:
    """Notes (MIDI numbers) of a second each, with overtones: [frames], float32."""
    time = np.arange(round(seconds * sample_rate)) / sample_rate
    tones = []
    for pitch in pitches:
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        tones.append(sum(np.sin(2 * np.pi * hertz * k * time) / k**2 for k in (1, 2, 3)) * np.exp(-time))
    return (0.3 * np.concatenate(tones)).astype(np.float32)
