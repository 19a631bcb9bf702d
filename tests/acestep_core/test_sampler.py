"""The loop alone, over a model of one line: what resumes, what branches, what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from acestep_core import schedules
from acestep_core.checkpoint import Checkpoint
from acestep_core.conditioning.repaint import Repaint
from acestep_core.errors import ConditionError, NotFiniteError, ResumeError, SettingError
from acestep_core.guidance import Guidance, Kind
from acestep_core.noise import SeededNoise, renoise
from acestep_core.sampler import Condition, Sampled, Settings, Step, cover_switch, sample
from acestep_core.solvers import SOLVERS

BATCH, FRAMES, STEPS = 2, 9, 6
GUIDANCES: list[Kind] = ["none", "cfg", "apg", "adg"]


class Toy:
    """A model that bends, so that each step matters; it remembers which t it was asked for, and with what."""

    def __init__(self) -> None:
        self.t: list[float] = []
        self.heard: list[float] = []
        generator = torch.Generator().manual_seed(5)
        self._mix = torch.randn(64, 64, generator=generator) / 8

    def velocity(self, x: Tensor, t: float, condition: Condition) -> Tensor:
        self.t.append(t)
        self.heard.append(float(condition.encoder.mean()))
        return torch.tanh(x @ self._mix + t + condition.encoder.mean()) + 0.1 * condition.context[..., :64]

    def velocities(self, x: Tensor, t: float, condition: Condition) -> tuple[Tensor, Tensor]:
        nothing = Condition(torch.full_like(condition.encoder, -0.5), condition.context)
        with_condition = self.velocity(x, t, condition)
        return with_condition, Toy().velocity(x, t, nothing)


def heard(value: float = 0.3, batch: int = BATCH) -> Condition:
    return Condition(torch.full((batch, 3, 8), value), torch.ones(batch, FRAMES, 128))


def settings(solver: str = "euler", guidance: Kind = "none", steps: int = STEPS, **more: object) -> Settings:
    scale = 1.0 if guidance == "none" else 4.0
    return Settings(schedules.shifted(steps, 3.0), solver, Guidance(guidance, scale, (0.2, 1.0)), **more)  # type: ignore[arg-type]


def run(
    how: Settings, start: Checkpoint | None = None, seed: int = 7, model: Toy | None = None, **more: object
) -> Sampled:
    noise = SeededNoise(seed, BATCH, FRAMES)
    begin = noise.draw()
    return sample(model or Toy(), how, heard(), noise, start=start or begin, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("guidance", GUIDANCES)
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_from_a_checkpoint_at_any_step_a_run_ends_in_the_same_bits(
    solver: str, guidance: Kind, smoothing: float
) -> None:
    how = settings(solver, guidance, velocity_smoothing=smoothing, velocity_clamp=0.8 if smoothing else 0.0)
    whole = run(how).latent
    for step in range(STEPS):
        saved = run(how, checkpoint_step=step).checkpoint
        assert saved is not None
        model = Toy()
        assert torch.equal(run(how, saved, model=model).latent, whole)
        assert model.t[:1] == [schedules.shifted(STEPS, 3.0)[step + 1]][: STEPS - 1 - step]


@pytest.mark.parametrize("solver", ["pingpong", "sde"])
def test_distilled_runs_resume_in_the_same_bits_too(solver: str) -> None:
    how = Settings(schedules.turbo(), solver, distilled=True)
    saved = run(how, checkpoint_step=3).checkpoint
    assert torch.equal(run(how, saved).latent, run(how).latent)


def test_without_its_momentum_apg_goes_elsewhere() -> None:
    how = settings(guidance="apg")
    saved = run(how, checkpoint_step=2).checkpoint
    assert saved is not None
    assert not torch.allclose(run(how, replace(saved, momentum=None)).latent, run(how).latent, atol=1e-3)


def test_a_resumed_cover_hears_what_it_would_have_heard() -> None:
    how = settings(switch_step=cover_switch(STEPS, 0.5))
    other = heard(-0.2)
    model = Toy()
    whole = run(how, model=model, switched=other).latent
    assert model.heard == pytest.approx([0.3] * 3 + [-0.2] * 3)
    saved = run(how, checkpoint_step=1, switched=other).checkpoint
    assert torch.equal(run(how, saved, switched=other).latent, whole)


def test_a_resumed_repaint_ends_in_the_same_bits() -> None:
    noise = SeededNoise(7, BATCH, FRAMES).draw()
    window = torch.zeros(BATCH, FRAMES, dtype=torch.bool)
    window[:, 3:6] = True
    source = torch.linspace(-1, 1, 64).expand(BATCH, FRAMES, 64)
    repaint = Repaint(source, window, noise, 0.5, 1)
    whole = run(settings(), repaint=repaint).latent
    saved = run(settings(), repaint=repaint, checkpoint_step=1).checkpoint
    assert torch.equal(run(settings(), saved, repaint=repaint).latent, whole)
    assert torch.equal(whole[:, :2], source[:, :2])
    assert not torch.equal(whole[:, 4], source[:, 4])


@pytest.mark.parametrize("other", [settings("heun"), settings("pingpong"), settings(guidance="adg")])
def test_another_solver_or_guidance_branches_off(other: Settings) -> None:
    saved = run(settings(), checkpoint_step=2).checkpoint
    model = Toy()
    branch = run(other, saved, model=model).latent
    assert model.t[0] == schedules.shifted(STEPS, 3.0)[3]
    assert not torch.allclose(branch, run(settings()).latent, atol=1e-4)


def test_another_seed_branches_off_where_the_solver_draws() -> None:
    saved = run(settings("pingpong"), checkpoint_step=2).checkpoint
    branch = run(settings("pingpong"), saved, seed=8).latent
    assert not torch.allclose(branch, run(settings("pingpong")).latent, atol=1e-4)


def test_another_grid_is_taken_from_the_saved_t() -> None:
    saved = run(settings(), checkpoint_step=2).checkpoint
    assert saved is not None
    model = Toy()
    run(settings(steps=20), saved, model=model)
    assert model.t == list(schedules.from_level(schedules.shifted(20, 3.0), saved.t)[:-1])


def test_each_step_is_told_and_a_checkpoint_taken_then_is_the_one_asked_for() -> None:
    told: list[Step] = []
    taken: list[Checkpoint] = []

    def on_step(step: Step) -> None:
        told.append(step)
        if step.index == 2:
            taken.append(step.checkpoint())

    made = run(settings("sde", "apg"), on_step=on_step, checkpoint_step=2)
    assert [(step.index, step.total) for step in told] == [(i, STEPS) for i in range(STEPS)]
    assert made.checkpoint is not None
    assert torch.equal(taken[0].x, made.checkpoint.x)
    assert all(torch.equal(a, b) for a, b in zip(taken[0].noise, made.checkpoint.noise, strict=True))


def test_what_the_callback_raises_ends_the_run_at_once() -> None:
    class StopError(Exception):
        pass

    def on_step(step: Step) -> None:
        if step.index == 1:
            raise StopError

    model = Toy()
    with pytest.raises(StopError):
        run(settings(), model=model, on_step=on_step)
    assert len(model.t) == 2


def test_a_latent_that_is_not_finite_is_an_error_that_names_the_step() -> None:
    class Broken(Toy):
        def velocity(self, x: Tensor, t: float, condition: Condition) -> Tensor:
            return super().velocity(x, t, condition) / (0 if len(self.t) == 3 else 1)

    with pytest.raises(NotFiniteError, match="step 3 of 6") as caught:
        run(settings(), model=Broken())
    assert caught.value.step == 2


@pytest.mark.parametrize("solver", SOLVERS)
def test_an_item_sounds_the_same_alone_and_in_a_batch(solver: str) -> None:
    batch = run(settings(solver)).latent
    noise = SeededNoise(7 + 1, 1, FRAMES)
    alone = sample(Toy(), settings(solver), heard(batch=1), noise, start=noise.draw()).latent
    assert torch.allclose(batch[1:], alone, atol=1e-6)


def test_seeds_go_up_to_the_last_of_64_bits_and_on_from_0() -> None:
    last = SeededNoise(2**64 - 1, 2, FRAMES)
    assert last.seeds == (2**64 - 1, 0)
    assert torch.equal(last.draw()[1], SeededNoise(0, 1, FRAMES).draw()[0])


def test_the_reference_draws_the_same_noise_from_a_seed() -> None:
    from safetensors.torch import load_file
    from support.tiny_acestep import GOLDEN

    recorded = load_file(GOLDEN / "core" / "inputs.safetensors")["noise"]
    for item, seed in enumerate((1234, 77)):
        assert torch.equal(SeededNoise(seed, 1, recorded.shape[1]).draw()[0], recorded[item])


def test_t_start_1_is_noise_alone_and_0_the_latent() -> None:
    x0, noise = torch.ones(1, FRAMES, 64), SeededNoise(1, 1, FRAMES).draw()
    assert torch.equal(renoise(x0, 1.0, noise), noise)
    assert torch.equal(renoise(x0, 0.0, noise), x0)


def test_turbo_refuses_guidance_and_a_solver_must_exist() -> None:
    with pytest.raises(SettingError, match="Turbo"):
        Settings(schedules.turbo(), guidance=Guidance("cfg", 3.0), distilled=True)
    with pytest.raises(SettingError, match="euler"):
        Settings(schedules.turbo(), "rk4")
    with pytest.raises(SettingError, match="apg"):
        Guidance("cfgg", 3.0)  # type: ignore[arg-type]


def test_what_does_not_fit_is_refused_before_the_first_step() -> None:
    saved = run(settings(), checkpoint_step=2).checkpoint
    assert saved is not None
    with pytest.raises(ResumeError, match=r"\[2, 8, 64\]"):
        run(settings(), replace(saved, x=saved.x[:, 1:]))
    with pytest.raises(ResumeError, match="step 9"):
        run(settings(), replace(saved, step=9))
    with pytest.raises(SettingError, match="steps 3 to 5"):
        run(settings(), saved, checkpoint_step=1)
    with pytest.raises(ConditionError):
        run(settings(switch_step=2))
    noise = SeededNoise(1, BATCH, FRAMES)
    with pytest.raises(ConditionError):
        sample(Toy(), settings(), heard(), noise, start=noise.draw()[:, 1:])
