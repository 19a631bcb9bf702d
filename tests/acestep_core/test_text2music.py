"""From a folder of weights to sound, as a user of the library would go."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
import torch
from support import tiny_acestep

from acestep_core import schedules
from acestep_core.checkpoint import Checkpoint
from acestep_core.conditioning.prompts import lyric_prompt, text_prompt
from acestep_core.errors import ConditionError
from acestep_core.noise import SeededNoise
from acestep_core.sampler import Sampled, Settings, sample
from acestep_core.stored import pack, unpack

SECONDS = 5


class Model:
    """All parts of a tiny turbo, loaded one after another."""

    def __init__(self, v15: ModuleType, folder: Path) -> None:
        self._v15 = v15
        self.layout = v15.layout.find([folder], "turbo")
        words = v15.loading.load_text_encoder(self.layout)
        self.text, self.lyric = words.text(text_prompt("lofi rain", {"bpm": 80})), words.lyric(lyric_prompt("rain"))
        self.conditioner = v15.loading.load_conditioner(self.layout)
        transformer = v15.loading.load_transformer(self.layout)
        self.denoiser = v15.modules.Denoiser(transformer, self.conditioner.null)

    def make(self, start: Checkpoint | None = None, checkpoint_step: int | None = None, batch: int = 2) -> Sampled:
        tasks, frames = self._v15.tasks, self._v15.tasks.frames_of(SECONDS)
        heard = tasks.hear(self.conditioner, self.text, self.lyric, batch, self.layout.timbre_frames)
        condition = self.conditioner.condition(heard, tasks.from_nothing(self.conditioner, frames, batch))
        noise = SeededNoise(11, batch, frames)
        begin = noise.draw()
        settings = Settings(schedules.turbo(), "pingpong", distilled=self.layout.distilled)
        return sample(self.denoiser, settings, condition, noise, start=start or begin, checkpoint_step=checkpoint_step)


@pytest.fixture(scope="module")
def models(v15: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Model]:
    folder = tmp_path_factory.mktemp("acestep")
    tiny_acestep.published(folder / "published")
    tiny_acestep.diffusers(folder / "diffusers", folder / "published")
    return Model(v15, folder / "published"), Model(v15, folder / "diffusers")


def test_words_become_the_same_music_from_both_layouts(v15: ModuleType, models: tuple[Model, Model]) -> None:
    one, other = (model.make().latent for model in models)
    assert one.shape == (2, 128, 64)
    assert torch.equal(one, other)
    vae = v15.loading.load_vae(models[0].layout)
    sound = torch.cat(list(v15.vae.decode(vae, one[0, : SECONDS * 25])), dim=-1)
    assert sound.shape == (2, SECONDS * 48_000)
    assert bool(sound.isfinite().all())


def test_a_checkpoint_kept_as_bytes_goes_on_in_a_model_loaded_anew(models: tuple[Model, Model]) -> None:
    kept = models[0].make(checkpoint_step=3)
    assert kept.checkpoint is not None
    assert torch.equal(models[1].make(start=unpack(pack(kept.checkpoint))).latent, kept.latent)


def test_an_item_of_a_batch_is_what_it_would_be_alone(models: tuple[Model, Model]) -> None:
    assert torch.allclose(models[0].make().latent[:1], models[0].make(batch=1).latent, atol=1e-4)


def test_a_reference_too_short_is_refused(v15: ModuleType, models: tuple[Model, Model]) -> None:
    with pytest.raises(ConditionError, match="30 seconds"):
        v15.tasks.hear(models[0].conditioner, models[0].text, models[0].lyric, 1, 750, torch.zeros(749, 64))
