"""Whole runs of the sampler, from the arguments that the reference's generate_audio was called with."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from acestep_core import schedules
from acestep_core.conditioning.repaint import Repaint
from acestep_core.guidance import Guidance, Kind
from acestep_core.noise import renoise
from acestep_core.sampler import Condition, Settings, Step, cover_switch, sample
from acestep_core.schedules import Grid
from acestep_core.v15.modules import Conditioner, Denoiser, Given, Heard

from .report import distance

KNOWN = {
    "diffusion_guidance_scale", "shift", "infer_steps", "timesteps", "use_adg", "cfg_interval_start",
    "cfg_interval_end", "sampler_mode", "infer_method", "velocity_norm_threshold", "velocity_ema_factor", "is_covers",
    "audio_cover_strength", "cover_noise_strength", "precomputed_lm_hints_25Hz", "repaint_crossfade_frames",
    "repaint_injection_ratio", "src_latents", "chunk_masks", "repaint_mask", "clean_src_latents", "t_start", "grid",
    "first_index",
}  # fmt: skip

Arguments = Mapping[str, object]


class Recorded:
    """Noise as the reference drew it."""

    seeds: tuple[int, ...] = ()

    def __init__(self, draws: Tensor | None) -> None:
        self._left = [] if draws is None else list(draws)

    def draw(self) -> Tensor:
        return self._left.pop(0)

    def state(self) -> tuple[Tensor, ...]:
        return ()

    def restore(self, state: tuple[Tensor, ...]) -> None:
        raise NotImplementedError


class Listening:
    """The model, and what it was asked."""

    def __init__(self, model: Denoiser) -> None:
        self._model = model
        self.x: list[Tensor] = []
        self.t: list[float] = []

    def velocity(self, x: Tensor, t: float, condition: Condition) -> Tensor:
        self._note(x, t)
        return self._model.velocity(x, t, condition)

    def velocities(self, x: Tensor, t: float, condition: Condition) -> tuple[Tensor, Tensor]:
        self._note(x, t)
        return self._model.velocities(x, t, condition)

    def _note(self, x: Tensor, t: float) -> None:
        self.x.append(x.clone())
        self.t.append(t)


class Runs:
    def __init__(
        self, inputs: dict[str, Tensor], outputs: dict[str, Tensor], conditioner: Conditioner, denoiser: Denoiser
    ) -> None:
        self.inputs, self.outputs, self.conditioner, self.denoiser = inputs, outputs, conditioner, denoiser

    def error(self, name: str, arguments: Arguments) -> float:
        """How far a run is from the recorded one, at its worst."""
        unknown = set(arguments) - KNOWN
        if unknown:
            raise ValueError(f"no meaning is known for {', '.join(sorted(unknown))}")
        turbo = name.startswith("turbo.")
        grid, start = self._begin(name, arguments, turbo)
        settings = Settings(
            grid,
            self._solver(arguments),
            self._guidance(arguments),
            turbo,
            cover_switch(len(grid) - 1, _number(arguments, "audio_cover_strength", 1.0)),
            _number(arguments, "velocity_norm_threshold", 0.0),
            _number(arguments, "velocity_ema_factor", 0.0),
        )
        model, momenta = Listening(self.denoiser), []

        def on_step(step: Step) -> None:
            momenta.append(step.checkpoint().momentum)

        mixed = "mixed" in name
        made = sample(
            model,
            settings,
            self.condition(arguments, mixed),
            Recorded(self.outputs.get(f"{name}.sde_noise")),
            start=start,
            switched=self._switched(arguments, mixed) if settings.switch_step is not None else None,
            repaint=self._repaint(arguments),
            on_step=on_step,
        )
        return max(self._errors(name, model, made.latent, momenta))

    def _errors(self, name: str, model: Listening, final: Tensor, momenta: list[Tensor | None]) -> list[float]:
        out = self.outputs
        errors = [
            distance(final, out[f"{name}.final"]),
            distance(torch.stack(model.x), out[f"{name}.x_evals"]),
            distance(torch.tensor(model.t, dtype=torch.float64), out[f"{name}.t_evals"]),
        ]
        recorded = out.get(f"{name}.apg_running_average")
        if recorded is not None:
            errors.append(distance(torch.stack([m for m in momenta if m is not None]), recorded))
        return errors

    def _begin(self, name: str, arguments: Arguments, turbo: bool) -> tuple[Grid, Tensor]:
        noise = self.inputs["noise"]
        grid = self._grid(name, arguments, turbo)
        if "t_start" in arguments:
            t = _number(arguments, "t_start", 1.0)
            if schedules.start_index(grid, t) != arguments["first_index"]:
                raise ValueError(f"the grid is cut at {schedules.start_index(grid, t)}")
            return schedules.truncate(grid, t), renoise(self.inputs["resume_x0"], t, noise)
        strength = _number(arguments, "cover_noise_strength", 0.0)
        if strength > 0:
            grid = schedules.nearest_start(grid, strength)
            return grid, renoise(self._source(arguments), grid[0], noise)
        if "_resume_k" in name:
            # Somewhere in the middle of another run: what it was given there is the first latent it asked about.
            return grid, self.outputs[f"{name}.x_evals"][0]
        return grid, noise

    def _grid(self, name: str, arguments: Arguments, turbo: bool) -> Grid:
        shift, steps = _number(arguments, "shift", 3.0 if turbo else 1.0), int(_number(arguments, "infer_steps", 30))
        whole = re.fullmatch(r"shift_grid\((\d+), ([\d.]+)\)", str(arguments.get("grid", "")))
        if whole:
            return schedules.shifted(int(whole[1]), float(whole[2]))
        if turbo and "t_start" in arguments:
            return schedules.turbo(shift)
        given = arguments.get("timesteps")
        if isinstance(given, list):
            return schedules.custom(given, distilled=turbo)
        if "_resume_k" in name:
            return schedules.custom(self.outputs[f"{name}.t_evals"].tolist())
        if given is not None:
            return schedules.custom(self.inputs["custom_timesteps"].tolist(), distilled=turbo)
        return schedules.turbo(shift) if turbo else schedules.shifted(steps, shift)

    def _solver(self, arguments: Arguments) -> str:
        if arguments.get("infer_method", "ode") == "sde":
            return "sde"
        return str(arguments.get("sampler_mode", "euler"))

    def _guidance(self, arguments: Arguments) -> Guidance:
        scale = _number(arguments, "diffusion_guidance_scale", 1.0)
        kind: Kind = "none" if scale <= 1 else "adg" if arguments.get("use_adg") else "apg"
        interval = _number(arguments, "cfg_interval_start", 0.0), _number(arguments, "cfg_interval_end", 1.0)
        return Guidance(kind, scale, interval)

    def _source(self, arguments: Arguments) -> Tensor:
        return self.inputs["src_latents_repaint" if "src_latents" in arguments else "src_latents"]

    def _given(self, arguments: Arguments, mixed: bool) -> Given:
        i, batch = self.inputs, self.inputs["noise"].shape[0]
        mask = i["chunk_masks_repaint" if "chunk_masks" in arguments else "chunk_masks_full"]
        # Of a mixed batch every other item is a cover, the first among them.
        cover = torch.tensor([("is_covers" in arguments) and not (mixed and item % 2) for item in range(batch)])
        hints = i["lm_hints_25Hz"] if "precomputed_lm_hints_25Hz" in arguments else None
        return Given(self._source(arguments), mask, cover, hints)

    def condition(self, arguments: Arguments, mixed: bool) -> Condition:
        return self.conditioner.condition(self._heard("text"), self._given(arguments, mixed))

    def _switched(self, arguments: Arguments, mixed: bool) -> Condition:
        return self.conditioner.without_source(self._heard("non_cover_text"), self._given(arguments, mixed))

    def _heard(self, text: str) -> Heard:
        from .model_set import heard_in

        return heard_in(self.inputs, text)

    def _repaint(self, arguments: Arguments) -> Repaint | None:
        if "repaint_mask" not in arguments:
            return None
        return Repaint(
            self.inputs["target_latents"],
            self.inputs["repaint_mask"],
            self.inputs["noise"],
            _number(arguments, "repaint_injection_ratio", 0.5),
            int(_number(arguments, "repaint_crossfade_frames", 10)),
        )


def _number(arguments: Arguments, name: str, otherwise: float) -> float:
    return float(str(arguments.get(name, otherwise)))
