"""diffusers' modules, put to work as the reference does it; the loop around them is ours (sampler.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from diffusers import AceStepTransformer1DModel
from diffusers.pipelines.ace_step.modeling_ace_step import (
    AceStepAudioTokenDetokenizer,
    AceStepAudioTokenizer,
    AceStepConditionEncoder,
    AceStepTimbreEncoder,
)
from torch import Tensor, nn

from ..conditioning.silence import silence_slice
from ..errors import ConditionError
from ..native.kernels import Kernels
from ..sampler import Condition
from .fast.dit import Transformer

Part = TypeVar("Part")


class XlTimbreEncoder(AceStepTimbreEncoder):  # type: ignore[misc]
    """With its ``special_token`` before the frames, which is then what is pooled.

    The reference's XL does so; diffusers 0.42 leaves the token away, which changes the output by 3 to 4.
    Source: acestep/models/xl_base/modeling_acestep_v15_xl_base.py, line 1088.
    """

    embed_tokens: nn.Module

    def forward(
        self, refer_audio_acoustic_hidden_states_packed: Tensor, refer_audio_order_mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        embed, packed = self.embed_tokens, refer_audio_acoustic_hidden_states_packed
        token = self.special_token.expand(packed.shape[0], -1, -1)
        self.embed_tokens = _Prepended(embed, token)
        try:
            return super().forward(packed, refer_audio_order_mask)  # type: ignore[no-any-return]
        finally:
            self.embed_tokens = embed


class _Prepended(nn.Module):
    def __init__(self, embed: nn.Module, token: Tensor) -> None:
        super().__init__()
        self._embed, self._token = [embed], token

    def forward(self, frames: Tensor) -> Tensor:
        embedded: Tensor = self._embed[0](frames)
        return torch.cat([self._token.to(embedded), embedded], dim=1)


@dataclass(frozen=True)
class Heard:
    """What is heard beside the source. ``text`` and ``lyric`` [batch, tokens, 1024] are the text encoder's last states
    and its token embeddings, masks bool [batch, tokens]; ``timbre`` [references, frames, 64] are all references of the
    batch and ``timbre_of`` [references] says whose each is."""

    text: Tensor
    text_mask: Tensor
    lyric: Tensor
    lyric_mask: Tensor
    timbre: Tensor
    timbre_of: Tensor


@dataclass(frozen=True)
class Given:
    """What is given in frames: ``source`` and ``mask`` [batch, frames, 64] (1 = make, 0 = keep), ``cover`` bool
    [batch]. ``hints`` [batch, frames or more, 64] stand for the source's tokens where they are known already."""

    source: Tensor
    mask: Tensor
    cover: Tensor
    hints: Tensor | None = None


class Conditioner:
    """The condition encoder with the tokenizer pair, if there is one; ``silence`` [1, frames, 64]."""

    def __init__(
        self,
        encoder: AceStepConditionEncoder,
        tokenizer: AceStepAudioTokenizer | None,
        detokenizer: AceStepAudioTokenDetokenizer | None,
        silence: Tensor,
    ) -> None:
        self.encoder, self.tokenizer, self.detokenizer, self.silence = encoder, tokenizer, detokenizer, silence

    @property
    def null(self) -> Tensor:
        """The learned embedding of "no condition", [1, 1, width]."""
        null: Tensor = self.encoder.null_condition_emb
        return null

    @torch.no_grad()
    def condition(self, heard: Heard, given: Given) -> Condition:
        """Source: ``prepare_condition``.

        The transformer ignores the encoder's mask, so text padded for a longer neighbour is attended: encode items of
        different length apart.
        """
        return Condition(self.encoded(heard)[0], self.context(given))

    @torch.no_grad()
    def context(self, given: Given) -> Tensor:
        """[batch, frames, 128]. A cover hears its source through the tokenizer: 25 → 5 → 25 frames a second."""
        source, frames = given.source, given.source.shape[1]
        if bool(given.cover.any()):
            hints = self.hints(source) if given.hints is None else given.hints
            if hints.shape[1] < frames:
                raise ConditionError(f"The hints are {hints.shape[1]} frames long, the source {frames}.")
            source = torch.where(given.cover.view(-1, 1, 1), hints[:, :frames].to(source), source)
        return torch.cat([source, given.mask.to(source)], dim=-1)

    def without_source(self, heard: Heard, given: Given) -> Condition:
        """The condition that a cover goes over to: silence for a source, ``heard`` with the text of text2music."""
        return self.condition(heard, self.silenced(given))

    def silenced(self, given: Given) -> Given:
        """The same with silence for a source."""
        silent = silence_slice(self.silence, given.source.shape[1]).to(given.source).expand_as(given.source)
        return Given(silent, given.mask, torch.zeros_like(given.cover))

    @torch.no_grad()
    def encoded(self, heard: Heard) -> tuple[Tensor, Tensor]:
        """Lyrics, timbre and text packed [batch, tokens, width], those that count first, and which do."""
        at = self.null
        states, mask = self.encoder(
            heard.text.to(at),
            heard.text_mask.to(at.device),
            heard.lyric.to(at),
            heard.lyric_mask.to(at.device),
            heard.timbre.to(at),
            heard.timbre_of.to(at.device),
        )
        return states, mask

    @torch.no_grad()
    def timbre(self, frames: Tensor, of: Tensor) -> tuple[Tensor, Tensor]:
        """One embedding for each reference [batch, most references, width], and which places hold one."""
        embeddings, mask = self.encoder.timbre_encoder(frames.to(self.null), of.to(self.null.device))
        return embeddings, mask

    @torch.no_grad()
    def tokens(self, latents: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, frames, 64] → quantized [batch, ⌈frames / 5⌉, width] and their codes; padded with silence."""
        quantized, codes = _there(self.tokenizer).tokenize(latents.to(self.null), self.silence)
        return quantized, codes

    @torch.no_grad()
    def frames(self, quantized: Tensor) -> Tensor:
        """The tokenizer's way back: five frames a token, [batch, 5·tokens, 64]."""
        frames: Tensor = _there(self.detokenizer)(quantized.to(self.null))
        return frames

    @torch.no_grad()
    def quantized(self, codes: Tensor) -> Tensor:
        """Codes [batch, tokens, 1] in [0, 64000) → what the tokenizer would have made, [batch, tokens, width]."""
        quantized: Tensor = _there(self.tokenizer).quantizer.get_output_from_indices(codes.to(self.null.device))
        return quantized

    def hints(self, latents: Tensor) -> Tensor:
        """What a cover hears of its source."""
        return self.frames(self.tokens(latents)[0])


def _there(part: Part | None) -> Part:
    """One of the tokenizer pair. ``ConditionError`` where the model came without."""
    if part is None:
        raise ConditionError(
            "This copy of the model lacks its audio tokenizer, through which covers and audio codes go: take another "
            "variant, or the model in the layout of ACE-Step's own."
        )
    return part


class Denoiser:
    """The transformer as the sampler asks for it: latents go in and come out as float32 on the CPU, wherever and in
    whatever it computes, so that a seed means the same on every device.

    With ``kernels`` one in bfloat16 on the CPU is run by them (fast/dit.py); any other runs as diffusers does it.
    """

    def __init__(self, transformer: AceStepTransformer1DModel, null: Tensor, kernels: Kernels | None = None) -> None:
        self._transformer, self._null = transformer, null
        self._fast = Transformer(transformer, kernels) if kernels is not None and _narrow(transformer) else None
        self._both: tuple[Condition, Condition] | None = None

    @property
    def fast(self) -> bool:
        """Whether the kernels run it."""
        return self._fast is not None

    def velocity(self, x: Tensor, t: float, condition: Condition) -> Tensor:
        return self.at(x, torch.full((x.shape[0],), t), condition)

    def velocities(self, x: Tensor, t: float, condition: Condition) -> tuple[Tensor, Tensor]:
        # The same two for each step, so that what is known of them from the last one holds.
        if self._both is None or self._both[0] is not condition:
            nothing = self._null.to(condition.encoder).expand_as(condition.encoder)
            encoder = torch.cat([condition.encoder, nothing])
            self._both = condition, Condition(encoder, torch.cat([condition.context, condition.context]))
        with_condition, without = self.velocity(torch.cat([x, x]), t, self._both[1]).chunk(2)
        return with_condition, without

    @torch.no_grad()
    def at(self, x: Tensor, t: Tensor, condition: Condition, r: Tensor | None = None) -> Tensor:
        """v [batch, frames, 64] float32 at ``t`` [batch]; ``r`` is mean flow's second time, t itself if not given."""
        weight: Any = self._transformer.proj_in_conv.weight
        # What embeds t may be in float32 where the rest is not (assemble.py).
        t = t.to(weight.device, self._transformer.time_embed.linear_1.weight.dtype)
        if self._fast is not None:
            return self._fast.velocity(x, t, t if r is None else r.to(t), condition.encoder, condition.context)
        (v,) = self._transformer(
            x.to(weight),
            t,
            t if r is None else r.to(t),
            condition.encoder.to(weight),
            condition.context.to(weight),
            return_dict=False,
        )
        velocity: Tensor = v.to(x)
        return velocity


def _narrow(transformer: AceStepTransformer1DModel) -> bool:
    weight: Any = transformer.proj_in_conv.weight
    return bool(weight.dtype == torch.bfloat16 and weight.device.type == "cpu")
