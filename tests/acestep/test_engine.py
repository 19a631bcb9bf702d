"""The engine as the worker uses it, on a tiny model: what it keeps, tells, goes on from, survives and says."""

from __future__ import annotations

import shutil
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from lofi_daemon.backends.base import Equipment, GenerationCancelled, Origin
from lofi_daemon.errors import LofiError

RATE = 48_000


@pytest.fixture(scope="module")
def made(tiny, stage):
    """``made(params, audio=False, …)`` renders with one engine for all tests: context and renderings. What is given by
    name is set on the context before."""
    from lofi_daemon.backends.acestep import engine

    own = engine.make_engine()

    def run(params, audio=False, folder=tiny, device="cpu", stop_at=0, stop=None, **more):
        context = stage.Context(folder, params, device)
        context.wants_audio, context.stop_at, context.stop = audio, stop_at, stop
        for name, value in more.items():
            setattr(context, name, value)
        renderings = own.render(params, context)
        return SimpleNamespace(context=context, audio=[one.audio for one in renderings], renderings=renderings)

    run.engine = own
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield run


def latent_of(context):
    from acestep_core.stored import unpack_latent

    return unpack_latent(context.final.blob).numpy()


def starting(stage, latent, seconds=None, **more):
    """Params from ``latent``, and the context's ``latents`` with it."""
    return stage.resumed(latent, seconds, **more), {latent.record.id: latent}


def test_what_is_returned_is_what_was_heard_with_progress_to_the_end(made, stage):
    done = made(stage.params(5.5, batch_size=2), audio=True)
    assert [audio.shape for audio in done.audio] == [(5.5 * RATE, 2)] * 2
    np.testing.assert_array_equal(done.context.sound, done.audio[0])
    assert len(done.context.parts) == 2, "tiles, not the whole"
    steps, totals = zip(*done.context.steps, strict=True)
    assert list(steps) == sorted(steps) and steps[-1] == totals[0] and len(set(totals)) == 1
    assert steps[16] == 160, "ten units an evaluation: eight steps of two items"
    assert done.renderings[0].metadata == {"precision": "float32"}
    record = done.context.final.record
    assert (record.shape, record.dtype, record.model_variant, record.total_steps) == (
        (2, 138, 64),
        "float32",
        "turbo",
        8,
    )
    assert (record.schedule[0], record.schedule[-1], len(record.schedule)) == (1.0, 0.0, 9)


@pytest.mark.parametrize(
    "asked",
    [
        {"scheduler": "pingpong"},
        {"model": "base", "inference_steps": 3, "scheduler": "heun"},
        {"model": "base", "inference_steps": 3, "scheduler": "sde", "guidance": "adg"},
    ],
)
def test_an_item_of_a_batch_is_what_its_seed_makes_alone_to_the_last_bit(made, stage, asked):
    together = latent_of(made(stage.params(batch_size=3, **asked)).context)
    for item in range(3):
        alone = latent_of(made(stage.params(seed=3 + item, **asked)).context)
        np.testing.assert_array_equal(alone[0], together[item])
    assert np.abs(together[0] - together[1]).max() > 0.1


@pytest.mark.parametrize(
    ("model", "scheduler", "guidance"),
    [
        ("turbo", "heun", None),
        ("turbo", "pingpong", None),
        ("base", "euler", "apg"),
        ("base", "heun", "adg"),
        ("base", "sde", "cfg"),
    ],
)
def test_a_checkpoint_goes_on_to_the_same_bits(made, stage, model, scheduler, guidance):
    """All solvers with all kinds of guidance: tests/acestep_core, and through the daemon."""
    steps = None if model == "turbo" else 4
    asked = {"model": model, "scheduler": scheduler, "guidance": guidance, "inference_steps": steps, "batch_size": 2}
    whole = made(stage.params(**asked, checkpoint_step=1)).context
    params, latents = starting(stage, whole.saved, **asked)
    rest = made(params, latents=latents).context
    np.testing.assert_array_equal(latent_of(rest), latent_of(whole))
    assert rest.final.record.schedule == whole.final.record.schedule
    one, latents = starting(stage, whole.saved, **asked | {"batch_size": 1, "seed": 4}, resume_sample_index=1)
    np.testing.assert_array_equal(latent_of(made(one, latents=latents).context)[0], latent_of(whole)[1])


def test_a_checkpoint_branches_with_another_seed_solver_guidance_or_grid(made, stage):
    asked = {"model": "base", "inference_steps": 4, "scheduler": "sde"}
    saved = made(stage.params(**asked, checkpoint_step=1)).context.saved
    ends = []
    for other in ({}, {"seed": 9}, {"scheduler": "euler"}, {"guidance": "adg"}, {"inference_steps": 10}):
        params, latents = starting(stage, saved, **asked | other)
        ends.append(made(params, latents=latents).context)
    for one, other in pairwise(ends):
        assert np.abs(latent_of(one) - latent_of(other)).max() > 1e-4
    assert ends[-1].final.record.schedule == pytest.approx((0.5, 0.4, 0.3, 0.2, 0.1, 0.0))


def test_a_checkpoint_of_a_run_that_began_in_the_middle_goes_on_on_that_runs_own_steps(made, stage):
    """The noise level of base's sde is the share of the steps taken: on the whole grid it would be another."""
    asked = {"model": "base", "inference_steps": 6, "scheduler": "sde"}
    first = made(stage.params(**asked)).context.final
    params, latents = starting(stage, first, **asked, t_start=0.7, checkpoint_step=1)
    middle = made(params, latents=latents).context
    params, latents = starting(stage, middle.saved, **asked)
    np.testing.assert_array_equal(latent_of(made(params, latents=latents).context), latent_of(middle))


def test_a_latent_is_noised_again_and_takes_only_the_steps_that_are_left(made, stage):
    first = made(stage.params(batch_size=2)).context
    params, latents = starting(stage, first.final, t_start=0.5, batch_size=2, resume_sample_index=1, seed=8)
    again = made(params, latents=latents).context
    assert again.final.record.schedule == first.final.record.schedule[-3:]
    assert again.steps[-1] == (40, 40), "two steps of two items"
    one, other = latent_of(again)
    source = latent_of(first)[1]
    assert np.abs(one - other).max() > 0.01, "each with its own noise"
    near, far = np.abs(one - source).mean(), np.abs(one - latent_of(first)[0]).mean()
    assert near < far, "it was the item that was named"
    small, latents = starting(stage, first.final, t_start=0.01, resume_sample_index=1)
    assert np.abs(latent_of(made(small, latents=latents).context)[0] - source).mean() < near


def test_a_job_goes_on_where_the_worker_before_left_off(made, stage):
    params = stage.params(scheduler="pingpong", batch_size=2)
    whole = made(params).context
    assert len(whole.autosaved) == 8
    rest = made(params, left_off=whole.autosaved[4]).context
    np.testing.assert_array_equal(latent_of(rest), latent_of(whole))
    assert rest.steps[-1] == (60, 60), "three steps of two items"


def test_variations_of_one_prompt_are_read_once(made, stage, monkeypatch):
    from acestep_core.v15.modules import Conditioner
    from acestep_core.v15.text import TextEncoder

    made.engine.unload()
    read, packed = [], []
    encode, pack = TextEncoder.text, Conditioner.encoded
    monkeypatch.setattr(TextEncoder, "text", lambda self, prompt: read.append(prompt) or encode(self, prompt))
    monkeypatch.setattr(Conditioner, "encoded", lambda self, heard: packed.append(heard) or pack(self, heard))
    for more in ({}, {"seed": 4}, {"batch_size": 2, "scheduler": "heun"}, {"prompt": "rain"}, {"bpm": 80}, {"seed": 5}):
        made(stage.params(**more))
    assert len(read) == len(packed) == 3
    assert "- bpm: 80\n- timesignature: N/A\n- keyscale: N/A\n- duration: 5 seconds\n" in read[-1]
    made.engine.unload()
    made(stage.params())
    assert len(read) == 4


def test_words_are_read_as_the_model_was_trained(stage):
    from lofi_daemon.backends.acestep import words

    sung = stage.params(lyrics="[verse]\nrain", vocal_language="ja", timesignature="6/8", keyscale="Am")
    said = words.of(sung, "generate")
    assert said.lyric == "# Languages\nja\n\n# Lyric\n[verse]\nrain<|endoftext|>"
    assert "- timesignature: 6\n- keyscale: A minor\n" in said.text
    assert "[Instrumental]" in words.of(stage.params(), "generate").lyric
    assert words.of(sung, "cover").text.startswith("# Instruction\nGenerate audio semantic tokens")


def test_without_a_compiler_it_says_so_once_and_plays_all_the_same(made, stage, tiny, monkeypatch):
    from acestep_core.native import build

    def no(folder):
        raise build.CannotBuildError("no C compiler was found (cc, gcc or clang)")

    monkeypatch.setattr(build, "load", no)
    equipment = Equipment("tiny", (str(tiny),), "bfloat16", "cpu")
    one, other = (made(stage.params(seed=seed), audio=True, equipment=equipment) for seed in (1, 2))
    assert len(one.context.notices) == 1 and "no C compiler was found" in one.context.notices[0]
    assert other.context.notices == []
    assert all(np.isfinite(each.audio[0]).all() and each.audio[0].any() for each in (one, other))


def test_with_little_memory_one_part_is_held_at_a_time_and_with_plenty_all(tiny):
    from lofi_daemon.backends.acestep.parts import SPARE, Parts

    for left, held in ((SPARE, 1), (1 << 50, 4)):
        parts = Parts((str(tiny),), "turbo", "float32", "cpu", available=lambda device, left=left: left)
        for part in (parts.text, parts.conditioner, parts.transformer, parts.vae):
            part()
        assert len(parts.held()) == held


def test_weights_are_counted_before_they_are_loaded(tiny):
    from safetensors.torch import load_file

    from lofi_daemon.backends.acestep import memory

    folder = tiny / "acestep-v15-turbo"
    there = load_file(folder / "model.safetensors")
    assert memory.elements(folder) == sum(tensor.numel() for tensor in there.values())
    of_transformer = sum(tensor.numel() for name, tensor in there.items() if name.startswith("decoder."))
    assert memory.elements(folder, lambda name: name.startswith("decoder.")) == of_transformer


def test_a_stop_in_the_middle_leaves_the_engine_whole(made, stage):
    whole = latent_of(made(stage.params()).context)
    for stop in (GenerationCancelled(), LofiError("CACHE_WRITE_ERROR", "full")):
        with pytest.raises(type(stop)):
            made(stage.params(), stop_at=4, stop=stop)
    np.testing.assert_array_equal(latent_of(made(stage.params()).context), whole)


@pytest.mark.parametrize(
    ("asked", "name", "field", "words"),
    [
        ({"lyrics": "rain " * 2048}, "INVALID_PARAMS", "lyrics", "the model reads 2048"),
        ({"prompt": "la " * 160, "keyscale": "A minor"}, None, None, ""),
        ({"prompt": "# " * 256}, "INVALID_PROMPT", "prompt", "the model reads 256"),
    ],
)
def test_words_beyond_what_the_model_reads_are_said_with_the_limit(made, stage, asked, name, field, words):
    if name is None:
        made(stage.params(**asked))
        return
    made.engine.unload()
    with pytest.raises(LofiError, match=words) as raised:
        made(stage.params(**asked))
    assert (raised.value.name, raised.value.field) == (name, field)
    assert made.engine._parts.held() == ("text",), "before anything else is loaded"


def test_nan_in_sampling_names_the_step_and_the_next_track_is_made(made, stage, monkeypatch):
    from acestep_core.v15.modules import Denoiser

    velocity, asked = Denoiser.velocity, []

    def third_is_none(self, x, t, condition):
        asked.append(t)
        return velocity(self, x, t, condition) * (float("nan") if len(asked) == 3 else 1)

    monkeypatch.setattr(Denoiser, "velocity", third_is_none)
    with pytest.raises(LofiError, match=r"after step 3 of 8.*ace_step_precision = float32") as raised:
        made(stage.params())
    assert raised.value.name == "MODEL_INFERENCE_FAILED"
    assert made(stage.params()).context.final


@pytest.mark.parametrize(
    ("harm", "name", "words"),
    [
        (lambda folder: shutil.rmtree(folder / "acestep-v15-turbo"), "MODEL_NOT_FOUND", "lofi download ace_step_15"),
        (lambda folder: (folder / "acestep-v15-turbo" / "model.safetensors").write_bytes(b"\0" * 99),
         "MODEL_LOAD_FAILED", "damaged or cut short"),
        (lambda folder: (folder / "vae" / "config.json").unlink(), "MODEL_NOT_FOUND", "vae is missing"),
        (lambda folder: (folder / "vae" / "config.json").write_text("{"), "MODEL_LOAD_FAILED", "is damaged"),
    ],
)  # fmt: skip
def test_files_that_are_missing_or_damaged_are_named(made, stage, tiny, tmp_path, harm, name, words):
    folder = shutil.copytree(tiny, tmp_path / "model")
    shutil.rmtree(folder / "acestep-v15-base")
    harm(folder)
    with pytest.raises(LofiError, match=words) as raised:
        made(stage.params(), audio=True, folder=folder)
    assert raised.value.name == name  # the tests after this one see that the engine goes on with a whole model


def test_without_memory_it_says_so_and_frees_what_it_had(made, stage, monkeypatch):
    from acestep_core.v15 import loading

    def none_left(*arguments):
        raise RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory")

    made.engine.unload()
    monkeypatch.setattr(loading, "load_vae", none_left)
    with pytest.raises(LofiError, match="not enough memory") as raised:
        made(stage.params(), audio=True)
    assert raised.value.name == "MODEL_INFERENCE_FAILED"
    assert not made.engine.unload(), "nothing is left in memory"


def test_a_gpu_that_fails_is_said_once_and_the_cpu_goes_on(made, stage):
    done = made(stage.params(), device="cuda").context
    assert len(done.notices) == 1 and "The GPU failed" in done.notices[0] and "CPU" in done.notices[0]
    assert made.engine.device == "cpu"
    np.testing.assert_array_equal(latent_of(done), latent_of(made(stage.params()).context))


def test_a_gpu_that_fails_in_decoding_leaves_one_latent_and_one_that_was_heard_ends_the_job(made, stage, monkeypatch):
    from acestep_core.v15 import vae

    decode = vae.decode

    def fails_after(pieces):
        def failing(*arguments):
            monkeypatch.setattr(vae, "decode", decode)
            yield from list(decode(*arguments))[:pieces]
            raise RuntimeError("CUDA error: an illegal memory access")

        return failing

    gpu = "cpu:0"  # any device but "cpu" is one
    monkeypatch.setattr(vae, "decode", fails_after(0))
    done = made(stage.params(), audio=True, device=gpu)
    assert len(done.context.kept) == 1 and "illegal memory access" in done.context.notices[0]
    monkeypatch.setattr(vae, "decode", fails_after(1))
    with pytest.raises(LofiError, match="in the middle of the track"):
        made(stage.params(6), audio=True, device=gpu)


def test_an_adapter_changes_the_music_and_leaves_no_trace(made, stage, tmp_path):
    import torch
    from safetensors.torch import save_file

    plain = latent_of(made(stage.params()).context)
    weight = made.engine._parts.transformer().layers[0].self_attn.to_q.weight
    pair = {"lora_A": torch.randn(2, weight.shape[1]), "lora_B": torch.randn(weight.shape[0], 2)}
    names = {f"base_model.model.decoder.layers.0.self_attn.q_proj.{key}.weight": one for key, one in pair.items()}
    save_file(names, tmp_path / "adapter.safetensors")
    params = stage.params(lora=[{"path": str(tmp_path / "adapter.safetensors"), "scale": 2.0}])
    assert np.abs(latent_of(made(params).context) - plain).max() > 1e-3
    np.testing.assert_array_equal(latent_of(made(stage.params()).context), plain)


# ── from a source ──


@pytest.fixture
def codec(monkeypatch):
    """What the autoencoder is asked for, in order. The tiny one's encoder is no wide one, so its place is taken by the
    level of each frame, in some of the channels more than in others."""
    import torch

    from acestep_core.v15 import encoding, vae

    asked = []
    decode = vae.decode

    def spread(autoencoder, sound, tile=128, on_tile=lambda: None):
        asked.append("encode")
        on_tile()
        level = sound.unflatten(-1, (-1, 1920)).square().mean((0, 2)).sqrt()
        mean = level[:, None] * torch.linspace(-3, 3, 64)
        return encoding.Spread(mean, torch.full_like(mean, 0.01))

    monkeypatch.setattr(encoding, "spread", spread)
    monkeypatch.setattr(vae, "decode", lambda *arguments: asked.append("decode") or decode(*arguments))
    return asked


@pytest.fixture
def song(tmp_path):
    """Six seconds, swelling; in mono and at another rate."""
    path = tmp_path / "song.wav"
    at = np.arange(6 * 32_000) / 32_000
    soundfile.write(path, 0.1 * at * np.sin(440 * at), 32_000)
    return Origin(audio=path)


def test_a_latent_is_refined_as_it_is_and_a_track_is_encoded_once(made, stage, codec, song):
    first = made(stage.params()).context.final
    params = stage.params(stage_type="refine", t_start=0.5, src_latent_id="0" * 6)
    of_latent = made(params, starts_from=Origin(latent=first)).context
    assert codec == []
    resumed, latents = starting(stage, first, t_start=0.5)
    np.testing.assert_array_equal(latent_of(of_latent), latent_of(made(resumed, latents=latents).context))
    made(stage.params(6, stage_type="refine", src_audio_id="0" * 6), starts_from=song)
    assert codec == ["encode"]
    made(params, audio=True, starts_from=Origin(latent=first))
    assert codec == ["encode", "decode"], "its own sound"


def test_a_cover_hears_its_source_through_the_bottleneck_and_goes_over_to_words(made, stage, codec, song, monkeypatch):
    from acestep_core.v15.modules import Conditioner

    heard = []
    hints = Conditioner.hints
    monkeypatch.setattr(Conditioner, "hints", lambda self, latents: heard.append(latents) or hints(self, latents))
    ends = []
    for more in ({}, {"cover_strength": 0.5}, {"cover_strength": 0.0}, {"cover_noise_strength": 0.6}):
        params = stage.params(6, stage_type="cover", src_audio_id="0" * 6, **more)
        ends.append(made(params, starts_from=song).context)
    assert len(heard) == 4 and codec == ["encode"] * 4
    for one, other in pairwise(ends):
        assert np.abs(latent_of(one) - latent_of(other)).max() > 1e-3
    assert ends[-1].final.record.total_steps < 8, "it begins nearer to its source"
    first = made(stage.params(6)).context.final
    made(stage.params(6, stage_type="cover", src_latent_id="0" * 6), starts_from=Origin(latent=first))
    assert codec[4:] == ["decode", "encode"], "through the waveform"


def test_a_cover_goes_on_from_its_checkpoint_to_the_same_bits(made, stage, codec, song):
    asked = {"stage_type": "cover", "src_audio_id": "0" * 6, "cover_strength": 0.6, "scheduler": "sde"}
    whole = made(stage.params(6, **asked, checkpoint_step=2), starts_from=song).context
    params, latents = starting(stage, whole.saved, **asked)
    np.testing.assert_array_equal(latent_of(made(params, latents=latents, starts_from=song).context), latent_of(whole))
    again = made(stage.params(6, **asked, checkpoint_step=2), starts_from=song, left_off=whole.autosaved[1]).context
    np.testing.assert_array_equal(latent_of(again), latent_of(whole))


def test_a_repaint_keeps_the_sources_own_samples_outside_the_window(made, stage, codec, song):
    import torch

    from acestep_core.conditioning.repaint import CROSSFADE_SEC, splice
    from lofi_daemon.audio.sources import read_source

    asked = {"stage_type": "repaint", "src_audio_id": "0" * 6, "repaint_start": 2, "repaint_end": 3.5}
    done = made(stage.params(6, **asked, batch_size=2), audio=True, starts_from=song)
    source = read_source(song.audio, RATE)
    fade = round(CROSSFADE_SEC / 2 * RATE)
    for audio in done.audio:
        inside = slice(2 * RATE - fade, round(3.5 * RATE) + fade)
        np.testing.assert_array_equal(
            np.delete(audio, np.r_[inside], 0), np.delete(source.repeat(2, 1), np.r_[inside], 0)
        )
        assert np.abs(audio[inside] - source[inside]).max() > 0.01
    np.testing.assert_array_equal(done.context.sound, done.audio[0])
    whole = torch.from_numpy(done.audio[0].T)[None]
    again = splice(whole, torch.from_numpy(source.T).expand(1, 2, -1), [2.0], [3.5], CROSSFADE_SEC / 2)
    assert (again - whole).abs().max() < 0.2, "spliced as the core does it, and so hardly changed by it"
    quieter = made(stage.params(6, **asked, repaint_strength=1.0), starts_from=song).context
    assert np.abs(latent_of(quieter)[0] - latent_of(done.context)[0]).max() > 1e-3


@pytest.mark.parametrize(
    "asked",
    [
        {"stage_type": "extract", "track_name": "drums"},
        {"stage_type": "lego", "track_name": "bass", "repaint_start": 1.0, "repaint_end": 4.0},
        {"stage_type": "complete", "track_classes": ["drums", "bass"]},
    ],
)
def test_base_works_on_single_parts(made, stage, codec, song, asked):
    params = stage.params(6, model="base", inference_steps=2, src_audio_id="0" * 6, **asked)
    plain = made(stage.params(6, model="base", inference_steps=2)).context
    assert np.abs(latent_of(made(params, starts_from=song).context) - latent_of(plain)).max() > 1e-3
    assert codec == ["encode"]


def test_a_source_is_drawn_from_each_items_own_seed(made, stage, codec, song):
    asked = {"stage_type": "cover", "src_audio_id": "0" * 6, "reference_audio_id": "0" * 6}
    sources = {"0" * 6: song.audio}
    together = made(stage.params(6, **asked, batch_size=2), starts_from=song, sources=sources).context
    alone = made(stage.params(6, **asked, seed=4), starts_from=song, sources=sources).context
    np.testing.assert_array_equal(latent_of(together)[1], latent_of(alone)[0])


def test_a_reference_tells_the_timbre(made, stage, codec, song):
    plain = made(stage.params()).context
    told = made(stage.params(reference_audio_id="0" * 6), sources={"0" * 6: song.audio}).context
    assert np.abs(latent_of(told) - latent_of(plain)).max() > 1e-4


def test_sources_that_cannot_be_used_are_named(made, stage, codec, tmp_path):
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, np.zeros((6 * 8000, 2)), 8000)
    first = made(stage.params(checkpoint_step=1)).context
    cover = stage.params(stage_type="cover", src_audio_id="0" * 6)
    refine = stage.params(6, stage_type="refine", src_latent_id="0" * 6)
    for params, origin, sources, name, field in (
        (cover, Origin(audio=silent), {}, "INVALID_PARAMS", "src_audio_id"),
        (cover, Origin(audio=tmp_path / "gone.wav"), {}, "INVALID_TRACK_ID", None),
        (stage.params(reference_audio_id="0" * 6), None, {"0" * 6: silent}, "INVALID_PARAMS", "reference_audio_id"),
        (refine, Origin(latent=first.final), {}, "LATENT_MISMATCH", "src_latent_id"),
        (stage.params(stage_type="refine", src_latent_id="0" * 6), Origin(latent=first.saved), {}, "LATENT_MISMATCH",
         "src_latent_id"),
    ):  # fmt: skip
        with pytest.raises(LofiError) as raised:
            made(params, starts_from=origin, sources=sources)
        assert (raised.value.name, raised.value.field) == (name, field)
