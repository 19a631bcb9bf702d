"""EnCodec: codes to sound, a chunk at a time, so that the first seconds are heard while the last are still made.

The decoder is transformers' ``EncodecModel``; chunked equals whole because each part gets what it sees of its
neighbours: the first convolution three frames, the LSTM its own state, the convolutions above their receptive field.
(Défossez et al. 2022, "High Fidelity Neural Audio Compression"; the model of the checkpoints is encodec_32khz.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from .checkpoint import Checkpoint

PART = "audio_encoder."


class Codec:
    """The loaded model. ``hop`` samples a frame."""

    def __init__(self, checkpoint: Checkpoint, device: torch.device) -> None:
        """Raises MODEL_LOAD_FAILED."""
        from transformers import EncodecConfig, EncodecModel

        config = checkpoint.part_config(EncodecConfig, "audio_encoder")
        if config.norm_type != "weight_norm" or config.use_causal_conv or config.normalize:
            raise checkpoint.damaged("its audio codec is of a kind that MusicGen does not use")
        state = {_renamed(name): tensor for name, tensor in checkpoint.part(PART)}
        model = checkpoint.fill(EncodecModel, config, state, "audio codec")
        for module in model.modules():  # buffers that are no part of a checkpoint
            for name in ("stride", "kernel_size", "padding_total"):
                if name in module._buffers:
                    module._buffers[name] = _conv_buffer(module, name)
            if parametrize.is_parametrized(module, "weight"):  # the norm is folded in: the same numbers, less work
                parametrize.remove_parametrizations(module, "weight")
        self.model: Any = model.train(False).to(device)
        self.device = device
        self.stereo = checkpoint.decoder.channels == 2
        self.sample_rate = checkpoint.sample_rate
        self.hop = 1
        for ratio in config.upsampling_ratios:
            self.hop *= ratio
        self._context = _context_frames(config)

    def stream(self, batch: int) -> CodecStream:
        """For codes of ``batch`` items that come bit by bit."""
        return CodecStream(self.model, batch, self.stereo, self.hop, self._context, self.device)


class CodecStream:
    """Codes in, samples out; what comes out is final."""

    def __init__(self, model: Any, batch: int, stereo: bool, hop: int, context: int, device: torch.device) -> None:
        self._model, self._stereo, self._hop, self._context, self._device = model, stereo, hop, context, device
        layers = list(model.decoder.layers)
        self._first, self._lstm, self._rest = layers[0], layers[1].lstm, layers[2:]
        self._around = int(self._first.conv.kernel_size[0]) // 2
        rows = batch * (2 if stereo else 1)
        self._embedded = torch.empty(rows, model.config.hidden_size, 0, device=device)
        self._kept = torch.empty(rows, self._first.conv.out_channels, 0, device=device)
        self._state: tuple[Tensor, Tensor] | None = None
        self._frames = self._first_done = self._told = 0
        self._embedded_from = self._kept_from = 0

    @torch.no_grad()
    def push(self, codes: Tensor, last: bool = False, pause: Callable[[], None] = lambda: None) -> Tensor:
        """The next codes [batch, codebooks, n]; samples [batch, channels, m] that they settle, perhaps none.

        With ``last`` everything is settled. ``pause``, called every few hundredths of a second, may raise; then the
        stream is of no more use.
        """
        self._embed(codes)
        ready = self._frames if last else self._frames - self._around
        if ready > self._first_done:
            self._recur(self._convolve(ready), ready)
            pause()
        settled = self._first_done if last else self._first_done - self._context
        samples = self._raise(settled, pause) if settled > self._told else self._kept[:, :1, :0]
        if self._stereo:
            samples = samples.view(samples.shape[0] // 2, 2, samples.shape[-1])
        return samples.float().cpu()

    @property
    def on_cpu(self) -> bool:
        return self._device.type == "cpu"

    def _embed(self, codes: Tensor) -> None:
        if not codes.shape[2]:
            return
        if self._stereo:  # [batch, 2 × codebooks, n], interleaved → left and right as rows
            batch, codebooks, count = codes.shape
            codes = codes.view(batch, codebooks // 2, 2, count).transpose(1, 2).reshape(-1, codebooks // 2, count)
        embedded = self._model.quantizer.decode(codes.transpose(0, 1).to(self._device))
        self._embedded = torch.cat([self._embedded, embedded], 2)
        self._frames += codes.shape[2]

    def _convolve(self, ready: int) -> Tensor:
        """The first layer's output for the frames from ``_first_done`` to ``ready``."""
        first = self._first_done - self._embedded_from
        start = max(0, first - self._around)
        whole = self._first(self._embedded[:, :, start:])
        made: Tensor = whole[:, :, first - start : ready - self._embedded_from - start]
        drop = max(0, ready - self._around - self._embedded_from)
        self._embedded, self._embedded_from = self._embedded[:, :, drop:], self._embedded_from + drop
        return made

    def _recur(self, made: Tensor, ready: int) -> None:
        steps = made.permute(2, 0, 1).contiguous()
        output, self._state = self._lstm(steps, self._state)
        self._kept = torch.cat([self._kept, (output + steps).permute(1, 2, 0)], 2)
        self._first_done = ready

    def _raise(self, settled: int, pause: Callable[[], None]) -> Tensor:
        """Samples of the frames from ``_told`` to ``settled``."""
        start = max(0, self._told - self._context - self._kept_from)
        end = min(self._kept.shape[2], settled + self._context - self._kept_from)
        samples = self._kept[:, :, start:end]
        for layer in self._rest:
            samples = layer(samples)
            pause()
        from_frame = self._told - self._kept_from - start
        made = samples[:, :, from_frame * self._hop : (from_frame + settled - self._told) * self._hop]
        self._told = settled
        drop = max(0, settled - self._context - self._kept_from)
        self._kept, self._kept_from = self._kept[:, :, drop:], self._kept_from + drop
        return made


def _context_frames(config: Any) -> int:
    """How many frames on either side a sample's value depends on, above the LSTM, rounded up generously."""
    samples, hop = config.last_kernel_size // 2, 1
    for ratio in config.upsampling_ratios:
        hop *= ratio
    reach = float(samples)  # in samples, from the last layer up
    scale = 1
    for ratio in reversed(config.upsampling_ratios):
        for layer in range(config.num_residual_layers):
            reach += (config.residual_kernel_size - 1) / 2 * config.dilation_growth_rate**layer * scale
        scale *= ratio
        reach += scale  # a transposed convolution of kernel 2 × ratio sees one step to either side
    return int(reach // hop) + 2


def _renamed(name: str) -> str:
    """Weight norm's parameters as older torch named them, which is how they were published."""
    return name.replace(".weight_g", ".parametrizations.weight.original0").replace(
        ".weight_v", ".parametrizations.weight.original1"
    )


def _conv_buffer(module: nn.Module, name: str) -> Tensor:
    conv: Any = module.conv
    size = (conv.kernel_size[0] - 1) * conv.dilation[0] + 1
    values = {"stride": conv.stride[0], "kernel_size": size, "padding_total": size - conv.stride[0]}
    return torch.tensor(values[name], dtype=torch.int64)
