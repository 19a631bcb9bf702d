"""What the front makes of a request for ACE-Step 1.5 before anything is queued or loaded. No torch."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest
from support.made_latents import record

from lofi_daemon.backends.acestep import plan
from lofi_daemon.backends.acestep.info import V15
from lofi_daemon.backends.acestep.precision import choose
from lofi_daemon.config import Settings
from lofi_daemon.errors import LofiError
from lofi_daemon.stages.items import item_params
from lofi_daemon.stages.request import StageRequest
from lofi_daemon.stages.resolve import resolve

SEC = 8.0
LATENT = "1" * 8 + "-1111-4111-8111-" + "1" * 12
SOURCE = {"src_audio_id": "1" * 64}


def resolved(settings=None, **asked):
    usual = {"backend": "ace_step_15", "model": "turbo", "prompt": "rain", "duration_sec": SEC, "seed": 1}
    request = msgspec.convert({k: v for k, v in (usual | asked).items() if v is not None}, StageRequest)
    return resolve(request, settings or Settings(), lambda: 1)


def kept(model="turbo", batch=2, seconds=SEC, **more):
    """The record of a finished latent, or with ``checkpoint_step`` of a checkpoint."""
    params = resolved(model=model, duration_sec=seconds).params
    grid, step = plan.whole_grid(params), more.get("checkpoint_step")
    usual = {
        "id": LATENT, "shape": (batch, plan.frames_of(seconds), 64), "model_variant": model, "schedule": grid,
        "total_steps": len(grid) - 1, "params": params, "batch_size": batch, "is_checkpoint": step is not None,
    }  # fmt: skip
    return record(**usual | more)


def resumed(start, **asked):
    given = resolved(**{"duration_sec": None, "init_latent_id": LATENT, **asked})
    return V15.resume(given.params, start, asked.get("duration_sec") is not None)


def refused(name, field, words, call, *given, **asked):
    with pytest.raises(LofiError, match=words or None) as raised:
        call(*given, **asked)
    assert (raised.value.name, raised.value.field) == (name, field)


@pytest.mark.parametrize(
    ("model", "steps", "shift", "guidance", "scale"),
    [
        ("turbo", 8, 3.0, None, None),
        ("xl-turbo", 8, 3.0, None, None),
        ("base", 50, 1.0, "apg", 7.0),
        ("sft", 50, 1.0, "apg", 7.0),
        (None, 8, 3.0, None, None),
    ],
)
def test_what_is_left_open_is_as_the_variant_was_published(model, steps, shift, guidance, scale):
    params = resolved(model=model).params
    assert (params.inference_steps, params.shift) == (steps, shift)
    assert (params.guidance, params.guidance_scale) == (guidance, scale)
    assert (params.scheduler, params.instrumental, params.model) == ("euler", True, model or "turbo")


def test_the_settings_name_the_model_where_the_request_does_not():
    settings = Settings(ace_step_model="sft")
    params = resolved(settings, model=None).params
    assert (params.model, params.inference_steps, params.guidance) == ("sft", 50, "apg")
    assert resolved(settings, model="turbo").params.model == "turbo"
    for model in V15.models:
        assert resolved(msgspec.convert({"ace_step_model": model}, Settings), model=None).params.model == model


def test_what_turbo_cannot_do_is_taken_said_and_not_in_the_params():
    done = resolved(guidance_scale=5, guidance="adg", cfg_interval=(0.2, 0.8), inference_steps=20, shift=2.4)
    assert done.params == resolved(shift=2).params
    assert [words in notice for words, notice in zip(("no guidance", "always takes 8", "it takes 2"), done.notices,
                                                     strict=True)] == [True] * 3  # fmt: skip
    assert resolved(guidance_scale=1, guidance="none", shift=3).notices == ()


def test_guidance_of_one_is_none():
    plain = resolved(model="base", guidance="none")
    assert (plain.params.guidance, plain.params.guidance_scale, plain.notices) == (None, None, ())
    assert resolved(model="base", guidance_scale=1).params == plain.params


def test_lyrics_make_a_song_and_an_instrumental_piece_has_none():
    assert resolved(lyrics="rain").params.instrumental is False
    silent = resolved(lyrics="rain", instrumental=True)
    assert silent.params == resolved().params and "not sung" in silent.notices[0]
    assert resolved(instrumental=False).params.instrumental is False


@pytest.mark.parametrize(
    ("asked", "name", "field"),
    [
        ({"keyscale": "H minor"}, "INVALID_PARAMS", "keyscale"),
        ({"timesignature": "5/4"}, "INVALID_PARAMS", "timesignature"),
        ({"vocal_language": "Klingon"}, "INVALID_PARAMS", "vocal_language"),
        ({"shift": 0}, "INVALID_PARAMS", "shift"),
        ({"cfg_interval": (0.8, 0.2)}, "INVALID_PARAMS", "cfg_interval"),
        ({"checkpoint_step": 8}, "INVALID_PARAMS", "checkpoint_step"),
        ({"checkpoint_step": -1}, "INVALID_PARAMS", "checkpoint_step"),
        ({"inference_steps": 20, "checkpoint_step": 12}, "INVALID_PARAMS", "checkpoint_step"),
        ({"stage_type": "refine", **SOURCE, "t_start": 0.5, "checkpoint_step": 2}, "INVALID_PARAMS", "checkpoint_step"),
        ({"lora": [{"path": "/nowhere.safetensors"}]}, "INVALID_PARAMS", "lora"),
        ({"duration_sec": 601}, "INVALID_DURATION", "duration_sec"),
        ({"batch_size": 9}, "INVALID_PARAMS", "batch_size"),
        ({"stage_type": "extract", **SOURCE, "track_name": "drums"}, "INVALID_STAGE", "stage_type"),
        ({"stage_type": "lego", **SOURCE, "model": "sft", "track_name": "drums"}, "INVALID_STAGE", "stage_type"),
        ({"stage_type": "extract", **SOURCE, "model": "xl-base"}, "INVALID_PARAMS", "track_name"),
        ({"stage_type": "repaint", **SOURCE}, "INVALID_PARAMS", "repaint_start"),
        ({"stage_type": "repaint", **SOURCE, "repaint_start": 3, "repaint_end": 3}, "INVALID_PARAMS", "repaint_end"),
        ({"stage_type": "repaint", **SOURCE, "repaint_start": -1}, "INVALID_PARAMS", "repaint_start"),
    ],
)
def test_bad_input_gets_its_named_error(asked, name, field):
    refused(name, field, "", resolved, **asked)


def test_a_cover_by_a_model_without_its_tokenizer_is_refused_and_the_rest_is_not(tmp_path):
    def put(*parts):
        for part in parts:
            folder = tmp_path / "acestep-v15-xl-turbo-diffusers" / part
            folder.mkdir(parents=True)
            (folder / "config.json").touch()
            (folder / "model.safetensors").touch()

    settings = Settings(ace_step_model_dir=str(tmp_path), device="cpu")
    asked = resolved(model="xl-turbo").params
    cover = msgspec.structs.replace(asked, stage_type="cover", src_audio_id="1" * 64)
    put("transformer", "condition_encoder", "text_encoder", "vae", "audio_tokenizer")
    V15.equipment(settings, asked)
    refused("INVALID_STAGE", "stage_type", "model=turbo", V15.equipment, settings, cover)
    put("audio_token_detokenizer")
    V15.equipment(settings, cover)


def test_fields_of_another_stage_are_said_and_leave_the_track_as_it_is():
    done = resolved(cover_strength=0.5, repaint_start=1, t_start=0.5)
    assert done.params == resolved().params
    assert len(done.notices) == 3
    assert resolved(t_start=1).notices == ()


def test_a_window_lies_in_the_music():
    inside = resolved(stage_type="repaint", **SOURCE, repaint_start=7, repaint_end=8).params
    V15.fits(inside)
    refused("INVALID_PARAMS", "repaint_end", "beyond the end", V15.fits, msgspec.structs.replace(inside, repaint_end=9))


def test_the_length_is_the_latents_own_unless_it_is_asked_for_and_the_same():
    assert resumed(kept(), t_start=0.5).params.duration_sec == SEC
    assert resumed(kept(seconds=5), t_start=0.5).params.duration_sec == 5, "though its frames are more"
    assert resumed(kept(), t_start=0.5, duration_sec=SEC).params.duration_sec == SEC
    refused("LATENT_MISMATCH", "duration_sec", "8 seconds long .200 frames., and 9", resumed, kept(), t_start=0.5,
            duration_sec=9)  # fmt: skip


def test_another_models_latent_is_refused_and_one_of_unknown_origin_taken_with_a_word():
    refused("LATENT_MISMATCH", "init_latent_id", "generated with base, current model is turbo", resumed, kept("base"),
            t_start=0.5)  # fmt: skip
    (said,) = resumed(kept(model_variant="unknown"), t_start=0.5).notices
    assert "does not say which model" in said
    (said,) = resumed(kept(dtype="bfloat16"), t_start=0.5).notices
    assert "cast to float32" in said
    refused("LATENT_MISMATCH", "init_latent_id", "another backend", resumed, kept(shape=(1, 8, 16, 300)), t_start=0.5)


def test_an_item_of_the_latent_is_chosen_for_all_of_the_batch():
    assert resumed(kept(), t_start=0.5, batch_size=3).params.resume_sample_index == 0
    assert resumed(kept(), t_start=0.5, resume_sample_index=1).params.resume_sample_index == 1
    for index in (2, -1):
        refused("INVALID_PARAMS", "resume_sample_index", "one of 0 to 1", resumed, kept(), t_start=0.5,
                resume_sample_index=index)  # fmt: skip


def test_each_of_a_checkpoints_batch_goes_on_as_itself_and_has_the_id_of_that():
    whole = resumed(kept(checkpoint_step=2), batch_size=2).params
    assert whole.resume_sample_index is None
    alone = resumed(kept(checkpoint_step=2), seed=2, resume_sample_index=1).params
    assert item_params(whole, 1) == alone
    assert resumed(kept(checkpoint_step=2), batch_size=3).params.resume_sample_index == 0


def test_a_checkpoint_takes_no_t_start_and_only_the_steps_after_its_own():
    refused("INVALID_PARAMS", "t_start", "leave t_start out", resumed, kept(checkpoint_step=2), t_start=1)
    refused("INVALID_PARAMS", "checkpoint_step", "steps 3 to 7", resumed, kept(checkpoint_step=2), checkpoint_step=2)
    assert resumed(kept(checkpoint_step=2), checkpoint_step=3).params.checkpoint_step == 3
    refused("INVALID_PARAMS", "checkpoint_step", "no step left", resumed, kept(checkpoint_step=7), checkpoint_step=7)
    refused("INVALID_PARAMS", "checkpoint_step", "steps 0 to 1", resumed, kept(), t_start=0.5, checkpoint_step=2)


@pytest.mark.parametrize("t_start", [1, None])
def test_a_latent_that_leaves_no_trace_is_not_used_and_that_is_said(t_start):
    done = resumed(kept("base"), t_start=t_start)
    assert done.params == resolved().params
    assert "lower it to resume" in done.notices[0]


def test_solver_shift_guidance_and_seed_may_be_others():
    asked = {"model": "base", "scheduler": "heun", "shift": 3, "guidance": "adg", "inference_steps": 20, "seed": 77}
    assert resumed(kept("base", checkpoint_step=9), **asked).notices == ()


def test_a_refinement_goes_half_the_way_unless_it_is_told():
    assert resolved(stage_type="refine", **SOURCE).params.t_start == plan.REFINED
    assert "nothing of the source" in resolved(stage_type="refine", **SOURCE, t_start=1).notices[0]
    assert resumed(kept(), stage_type="refine").params.t_start == plan.REFINED
    assert resumed(kept(checkpoint_step=2), stage_type="refine").params.t_start is None


def test_precision_is_bfloat16_where_the_processor_multiplies_it(tmp_path):
    from lofi_daemon.backends.acestep.precision import _processor_multiplies

    for flags, fast in (("fpu avx512_bf16 sse", True), ("fpu amx_bf16", True), ("fpu avx512f", False)):
        info = tmp_path / flags.replace(" ", "-")
        info.write_text(f"processor: 0\nflags\t\t: {flags}\n")
        assert _processor_multiplies(info) is fast
    assert not _processor_multiplies(tmp_path / "none")
    assert [choose("auto", "cuda"), choose("auto", "mps"), choose("bfloat16", "cpu")] == [
        "bfloat16",
        "float32",
        "bfloat16",
    ]


def test_a_shortest_track_is_as_long_as_the_model_sees():
    assert [plan.frames_of(seconds) for seconds in (5, 5.12, 30, 600)] == [128, 128, 750, 15_000]


def test_none_of_this_loads_torch():
    code = "import sys, lofi_daemon.backends.registry; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
