"""Sets with a tiny model: ``core`` and ``xl``. Modules, guidance, grids, and whole runs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from acestep_core import schedules
from acestep_core.guidance import adg, apg, apg_momentum, cfg
from acestep_core.sampler import Condition
from acestep_core.v15 import published
from acestep_core.v15.modules import Denoiser, Heard

from .report import Case, attempt, distance, unchecked
from .runs import Runs

MODULE = 2e-5
FREE = 1e-4
GUIDED = 1e-3
GRID = 1e-6

Tensors = dict[str, Tensor]
OF_A_RUN = ("x_evals", "t_evals", "final", "sde_noise", "apg_running_average")


class ModelSet:
    def __init__(self, folder: Path) -> None:
        self.inputs = load_file(folder / "inputs.safetensors")
        self.outputs = load_file(folder / "outputs.safetensors")
        self.cases: dict[str, dict[str, object]] = json.loads((folder / "cases.json").read_text())
        config = json.loads((folder / "config.json").read_text())
        parts = published.parts(load_file(folder / "weights.safetensors"))
        transformer = published.transformer(config, parts["transformer"], torch.float32)
        self.conditioner = published.conditioner(config, parts, self.inputs["silence_latent"], torch.float32)
        self.denoiser = Denoiser(transformer, self.conditioner.null)

    def check(self) -> Iterator[Case]:
        left = set(self.outputs)
        for prefix, checks in (("mod.", self._modules), ("guid.", self._guidance), ("sched.", self._schedules)):
            for key in sorted(key for key in self.outputs if key.startswith(prefix)):
                check = checks(key.removeprefix(prefix))
                if check is not None:
                    left.discard(key)
                    yield attempt(key, GRID if prefix == "sched." else MODULE, lambda k=key, c=check: self._off(k, c))
        runs = Runs(self.inputs, self.outputs, self.conditioner, self.denoiser)
        for name, arguments in self.cases.items():
            guided = float(str(arguments.get("diffusion_guidance_scale", 1.0))) > 1
            left -= {f"{name}.{key}" for key in OF_A_RUN}
            yield attempt(name, GUIDED if guided else FREE, lambda n=name, a=arguments: runs.error(n, a))
        yield from unchecked(left)

    def _off(self, key: str, make: Callable[[], Tensor]) -> float:
        return distance(make(), self.outputs[key])

    def _modules(self, name: str) -> Callable[[], Tensor] | None:
        i, model = self.inputs, self.conditioner
        heard = heard_in(i)
        src, tok = i["src_latents"], i["tok_latents"]

        def decoder(kind: str = "", r: float | None = None) -> Tensor:
            at = i["decoder_t"]
            condition = Condition(i["decoder_enc"], i[f"decoder_ctx{kind}"])
            return self.denoiser.at(i[f"decoder_x{kind}"], at, condition, None if r is None else at * r)

        known: dict[str, Callable[[], Tensor]] = {
            "encoder_hidden_states": lambda: model.encoded(heard)[0],
            "encoder_mask": lambda: model.encoded(heard)[1],
            "lyric_encoder": lambda: model.encoder.lyric_encoder(heard.lyric, heard.lyric_mask),
            "timbre_unpacked": lambda: model.timbre(heard.timbre, heard.timbre_of)[0],
            "timbre_mask": lambda: model.timbre(heard.timbre, heard.timbre_of)[1],
            "decoder_odd": decoder,
            "decoder_even": lambda: decoder("_even"),
            "decoder_odd_r_half_t": lambda: decoder(r=0.5),
            "tok_pooled": lambda: self._pooled(tok),
            "tok_quantized": lambda: model.tokens(tok)[0],
            "tok_indices": lambda: model.tokens(tok)[1],
            "tok_src_quantized": lambda: model.tokens(src)[0],
            "tok_src_indices": lambda: model.tokens(src)[1],
            "detok": lambda: model.frames(model.tokens(tok)[0]),
            "detok_src": lambda: model.hints(src),
            "codes_quantized": lambda: model.quantized(i["codes"]),
            "codes_latents_25Hz": lambda: model.frames(model.quantized(i["codes"])),
            "prepare_condition_mixed_cover.context_latents": lambda: (
                Runs(i, {}, model, self.denoiser).condition({"is_covers": "mixed"}, mixed=True).context
            ),
        }
        return known.get(name)

    def _pooled(self, latents: Tensor) -> Tensor:
        tokenizer = self.conditioner.tokenizer
        projected = tokenizer.audio_acoustic_proj(latents)
        pooled: Tensor = tokenizer.attention_pooler(projected.unflatten(1, (-1, tokenizer.pool_window_size)))
        return pooled

    def _guidance(self, name: str) -> Callable[[], Tensor] | None:
        i = self.inputs
        found = re.fullmatch(r"(apg|cfg)_([\d.]+)_step(\d+)", name)
        if found:
            scale, step = float(found[2]), int(found[3])
            if found[1] == "cfg":
                return lambda: cfg(i[f"guid_cond_{step}"], i[f"guid_uncond_{step}"], scale)
            return lambda: apg(i[f"guid_cond_{step}"], self._momentum(step), scale)
        found = re.fullmatch(r"adg_([\d.]+)_t([\d.]+)", name)
        if found:
            scale, t = float(found[1]), float(found[2])
            # The reference went through its times and its inputs together, from the noisiest on.
            times = sorted({float(key.rsplit("_t", 1)[1]) for key in self.outputs if "guid.adg_" in key}, reverse=True)
            at = times.index(t)
            return lambda: adg(i[f"guid_cond_{at}"], i[f"guid_uncond_{at}"], i[f"guid_x_{at}"], t, scale)
        return None

    def _momentum(self, step: int) -> Tensor:
        before = self._momentum(step - 1) if step else None
        return apg_momentum(self.inputs[f"guid_cond_{step}"], self.inputs[f"guid_uncond_{step}"], before)

    def _schedules(self, name: str) -> Callable[[], Tensor] | None:
        found = re.fullmatch(r"n(\d+)_shift([\d.]+)", name)
        return (lambda: torch.tensor(schedules.shifted(int(found[1]), float(found[2])))) if found else None


def heard_in(inputs: Tensors, text: str = "text") -> Heard:
    return Heard(
        inputs[f"{text}_hidden_states"],
        inputs[f"{text}_attention_mask"],
        inputs["lyric_hidden_states"],
        inputs["lyric_attention_mask"],
        inputs["refer_audio_acoustic_hidden_states_packed"],
        inputs["refer_audio_order_mask"],
    )
