"""The engine as the worker uses it: what it sends, tells, returns, survives and says."""

from __future__ import annotations

import builtins
import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest

from lofi_daemon.backends.base import GenerationCancelled
from lofi_daemon.errors import LofiError

RATE = 6400
AGAIN = "download it again: lofi download musicgen"


@pytest.fixture
def engine(lab, built, monkeypatch):
    from lofi_daemon.backends.musicgen import engine

    monkeypatch.setattr(engine, "native_folder", lambda: built)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return engine.make_engine()


@pytest.fixture
def damaged(mono, tmp_path):
    """A copy to be broken."""
    return shutil.copytree(mono.folder, tmp_path / "model")


def test_what_is_returned_is_what_was_sent_with_progress_to_the_end(lab, engine, mono):
    context = lab.Context(mono.folder)
    (made,) = engine.render(lab.params(6), context)
    np.testing.assert_array_equal(context.sound, made.audio)
    assert (made.audio.shape, made.audio.dtype, made.sample_rate) == ((6 * RATE, 1), np.float32, RATE)
    assert made.metadata == {"precision": "float32"}
    assert len(context.parts) > 4
    done, totals = zip(*context.steps, strict=True)
    assert (list(done), set(totals)) == (sorted(done), {63})
    assert set(done) == set(range(1, 64))
    assert context.notices == []
    assert 0.01 < np.abs(made.audio).max() <= 1


def test_the_first_sound_comes_with_the_first_tokens(lab, engine, mono):
    context = lab.Context(mono.folder)
    context.stop_at, context.stop = 25, GenerationCancelled()
    with pytest.raises(GenerationCancelled):
        engine.render(lab.params(30), context)
    assert len(context.sound) >= 8 * 640


def test_the_samples_are_transformers(lab, engine, mono):
    """From the words of the prompt to the sound."""
    tokens = lab.torch.tensor([[5, 4, 1]])
    lab.torch.manual_seed(3)
    theirs = mono.model.generate(input_ids=tokens, max_length=54)[0].numpy()
    (made,) = engine.render(lab.params(5), lab.Context(mono.folder))
    assert np.abs(made.audio.T - np.clip(theirs, -1, 1)).max() <= 1e-5


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_each_of_a_batch_is_what_its_seed_makes_alone(lab, engine, stereo, precision):
    together = engine.render(lab.params(5, batch_size=3), lab.Context(stereo.folder, precision))
    alone = [engine.render(lab.params(5, seed=3 + i), lab.Context(stereo.folder, precision))[0] for i in range(3)]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_allclose(one.audio, other.audio, atol=1e-6)
    assert together[0].audio.shape == (5 * RATE, 2)
    assert np.abs(together[0].audio - together[1].audio).max() > 0.01


def test_the_largest_seed_has_room_for_a_batch(lab, engine, mono):
    assert len(engine.render(lab.params(5, seed=2**64 - 1, batch_size=2), lab.Context(mono.folder))) == 2


def test_windows_overlap_by_what_the_stride_leaves(lab):
    from lofi_daemon.backends.musicgen.windows import windows

    for stride, overlap in ((18, 120), (5, 250), (29, 10)):
        plan = list(windows(700, 10, stride))
        assert sum(window.new for window in plan) == 700
        assert {window.prompt for window in plan[1:]} == {overlap}
        assert all(window.prompt + window.new <= 300 for window in plan)


def test_another_stride_is_another_track_only_beyond_one_window(monkeypatch):
    from lofi_daemon.backends.musicgen import info
    from lofi_daemon.config import Settings
    from lofi_daemon.model import StageParams
    from lofi_daemon.models import store

    monkeypatch.setattr(store, "look", lambda weights, root: store.Found("ready", commit="c" * 40))

    def version(stride, seconds):
        params = StageParams(backend="musicgen", model="small", prompt="rain", duration_sec=seconds, seed=1)
        settings = Settings(musicgen_stride_sec=stride, device="cpu")
        equipment = info.INFO.equipment(settings, params)
        assert equipment.options == {"stride_sec": stride}
        return equipment.model_version

    assert version(18, 30) == version(10, 30)
    assert version(18, 31) != version(10, 31)


@pytest.mark.parametrize(("seconds", "windows"), [(41, 2), (120, 6), (30.01, 2), (5.003, 1)])
def test_it_is_exactly_as_long_as_was_asked(lab, engine, mono, seconds, windows):
    context = lab.Context(mono.folder, "int8")
    (made,) = engine.render(lab.params(seconds), context)
    assert len(made.audio) == len(context.sound) == round(seconds * RATE)
    frames = int(np.ceil(round(seconds * 10, 6)))
    assert context.steps[-1] == (frames + 3 * windows,) * 2


def test_a_window_goes_on_from_the_codes_before_it(lab, engine, mono, monkeypatch):
    from lofi_daemon.backends.musicgen import engine as module

    asked = []
    original = module.generate_codes

    def watched(*arguments):
        codes = list(original(*arguments))
        asked.append((arguments[3], arguments[7], lab.torch.cat(codes, 2)))
        yield from codes

    monkeypatch.setattr(module, "generate_codes", watched)
    engine.render(lab.params(50, batch_size=2), lab.Context(mono.folder))
    assert [frames for frames, _, _ in asked] == [300, 300, 140]
    stream = asked[0][2]
    for _, prompt, codes in asked[1:]:
        assert prompt.shape[2] == 120
        assert lab.torch.equal(prompt, stream[:, :, -120:])
        stream = lab.torch.cat([stream, codes], 2)
    assert stream.shape[2] == 500


def test_a_cancel_takes_effect_at_the_next_token_and_the_engine_goes_on(lab, engine, mono):
    context = lab.Context(mono.folder)
    context.stop_at, context.stop = 40, GenerationCancelled()
    with pytest.raises(GenerationCancelled):
        engine.render(lab.params(5), context)
    assert len(context.steps) == 40
    (after,) = engine.render(lab.params(5), lab.Context(mono.folder))
    (fresh,) = type(engine)().render(lab.params(5), lab.Context(mono.folder))
    np.testing.assert_array_equal(after.audio, fresh.audio)


def test_the_model_stays_until_it_is_unloaded_or_another_is_asked_for(lab, engine, mono, stereo, monkeypatch):
    from lofi_daemon.backends.musicgen import engine as module

    loads = []
    original = module.Loaded

    def counted(equipment, *arguments):
        loads.append((equipment.folders[0], equipment.precision))
        return original(equipment, *arguments)

    monkeypatch.setattr(module, "Loaded", counted)
    small = lab.params(5)
    assert engine.unload() is False
    for folder, precision in ((mono.folder, "int8"), (mono.folder, "int8"), (mono.folder, "bfloat16")):
        engine.render(small, lab.Context(folder, precision))
    engine.render(small, lab.Context(stereo.folder, "bfloat16"))
    assert loads == [
        (str(mono.folder), "int8"), (str(mono.folder), "bfloat16"), (str(stereo.folder), "bfloat16"),
    ]  # fmt: skip
    assert (engine.unload(), engine.unload()) == (True, False)


def test_unloading_gives_the_memory_back(lab, engine, mono):
    import gc
    import weakref

    engine.render(lab.params(5), lab.Context(mono.folder))
    held = [weakref.ref(engine._loaded._weights), weakref.ref(engine._loaded.codec)]
    engine.unload()
    gc.collect()
    assert [one() for one in held] == [None, None]


def test_the_requests_sampling_has_its_way_else_the_checkpoints(lab, engine, mono):
    def sound(**more):
        return engine.render(lab.params(5, **more), lab.Context(mono.folder))[0].audio

    usual = sound()
    np.testing.assert_array_equal(usual, sound(guidance_scale=3.0, temperature=1.0, top_k=50, top_p=1.0))
    for more in ({"guidance_scale": 1.0}, {"temperature": 0.5}, {"top_k": 2}, {"top_p": 0.3}):
        assert np.abs(usual - sound(**more)).max() > 0.01, more


# ── what goes wrong ──


def refusal(engine, lab, folder, name="MODEL_LOAD_FAILED", **more):
    """The sentence; and that nothing stays behind that would fail the next one."""
    context = lab.Context(folder, **more)
    with pytest.raises(LofiError) as failed:
        engine.render(lab.params(5), context)
    message = failed.value.message
    assert failed.value.name == name, message
    assert message.endswith(".") and "\n" not in message and len(message) < 600, message
    if name == "MODEL_LOAD_FAILED":
        assert AGAIN in message and str(folder) in message
    assert not context.parts
    return message


def test_a_folder_that_is_gone_is_a_model_that_is_not_there(lab, engine, tmp_path):
    assert "lofi download musicgen" in refusal(engine, lab, tmp_path / "none", "MODEL_NOT_FOUND")


def cut(path):
    path.write_bytes(path.read_bytes()[:-50_000])


def overwrite(text):
    return lambda path: path.write_text(text)


def remove(path):
    path.unlink()


def pickle_only(path):
    path.rename(path.with_name("pytorch_model.bin"))


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("model.safetensors", cut, "model.safetensors cannot be read"),
        ("model.safetensors", overwrite(""), "model.safetensors cannot be read"),
        ("model.safetensors", overwrite("PK\3\4" * 100), "model.safetensors cannot be read"),
        ("model.safetensors", remove, "model.safetensors is missing"),
        ("model.safetensors", pickle_only, "model.safetensors is missing"),
        ("config.json", overwrite("{"), "config.json cannot be read"),
        ("config.json", overwrite("[" * 100_000), "config.json cannot be read"),
        ("config.json", overwrite("[]"), "config.json holds no object"),
        ("config.json", overwrite("{}"), "config.json lacks or mistakes 'decoder'"),
        ("generation_config.json", overwrite('{"top_k": "many"}'), "generation_config.json is not what it should be"),
        ("tokenizer.json", remove, "its tokenizer does not load"),
        ("tokenizer.json", overwrite("{}"), "its tokenizer does not load"),
        ("tokenizer.json", overwrite("nonsense"), "its tokenizer does not load"),
        ("model.safetensors.index.json", overwrite('{"weight_map": {"a": "../model.safetensors"}}'), "not what it"),
        ("model.safetensors.index.json", overwrite('{"weight_map": {"a": "/etc/x.safetensors"}}'), "not what it"),
        ("model.safetensors.index.json", overwrite('{"weight_map": {"a": "gone.safetensors"}}'), "gone.safetensors is"),
        ("model.safetensors.index.json", overwrite('{"weight_map": {"a": "pytorch_model.bin"}}'), "not what it"),
        ("model.safetensors.index.json", overwrite("{}"), "not what it should be"),
    ],
)
def test_a_damaged_file_is_named(lab, engine, damaged, name, wrong, said):
    wrong(damaged / name)
    assert said in refusal(engine, lab, damaged)


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("decoder", "hidden_size", 128),
        ("decoder", "hidden_size", "wide"),
        ("decoder", "num_attention_heads", 0),
        ("decoder", "num_attention_heads", 5),
        ("decoder", "num_hidden_layers", 4),
        ("decoder", "ffn_dim", -1),
        ("decoder", "num_codebooks", 8),
        ("decoder", "vocab_size", 1e400),
        ("decoder", "pad_token_id", 4096),
        ("decoder", "activation_function", "swish"),
        ("decoder", "audio_channels", 6),
        ("audio_encoder", "upsampling_ratios", [8, 0]),
        ("audio_encoder", "upsampling_ratios", 640),
        ("audio_encoder", "hidden_size", 32),
        ("audio_encoder", "num_filters", "many"),
        ("audio_encoder", "use_causal_conv", True),
        ("text_encoder", "d_model", None),
        ("text_encoder", "d_model", 64),
        ("text_encoder", "d_ff", 32),
        ("text_encoder", "num_heads", "four"),
    ],
)
def test_a_configuration_that_is_not_the_weights_is_said(lab, engine, damaged, part, key, value):
    path = damaged / "config.json"
    config = json.loads(path.read_text())
    config[part][key] = value
    path.write_text(json.dumps(config))
    refusal(engine, lab, damaged)


@pytest.mark.parametrize(
    "name",
    [
        "decoder.model.decoder.layers.1.fc2.weight",
        "decoder.lm_heads.3.weight",
        "enc_to_dec_proj.bias",
        "text_encoder.shared.weight",
        "text_encoder.encoder.block.1.layer.1.DenseReluDense.wi.weight",
        "audio_encoder.quantizer.layers.2.codebook.embed",
        "audio_encoder.decoder.layers.1.lstm.bias_hh_l1",
    ],
)
@pytest.mark.parametrize("wrong", ["missing", "of another shape"])
def test_a_tensor_that_is_missing_or_of_another_shape_is_said(lab, engine, damaged, name, wrong):
    from safetensors.torch import load_file, save_file

    tensors = load_file(damaged / "model.safetensors")
    if wrong == "missing":
        del tensors[name]
    else:
        tensors[name] = lab.torch.zeros(*tensors[name].shape, 2)
    save_file(tensors, damaged / "model.safetensors")
    assert name.split(".")[-1] in refusal(engine, lab, damaged)


def test_weights_in_several_files_are_the_same_model(lab, engine, mono, tmp_path):
    mono.model.save_pretrained(tmp_path / "parts", max_shard_size="200KB")
    lab.save_tokenizer(tmp_path / "parts")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 2
    (one,) = engine.render(lab.params(5), lab.Context(mono.folder))
    (other,) = engine.render(lab.params(5), lab.Context(tmp_path / "parts"))
    np.testing.assert_array_equal(one.audio, other.audio)


def test_weights_in_half_precision_are_read(lab, engine, mono, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(mono.folder, tmp_path / "model")
    tensors = load_file(folder / "model.safetensors")
    halves = {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    save_file(halves, folder / "model.safetensors")
    assert len(engine.render(lab.params(5), lab.Context(folder))[0].audio) == 5 * RATE


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize(
    "name", ["decoder.model.decoder.layers.1.fc2.weight", "audio_encoder.decoder.layers.15.conv.bias"]
)
def test_output_that_is_no_number_is_said_and_not_played(lab, engine, damaged, mono, precision, name):
    from safetensors.torch import load_file, save_file

    tensors = load_file(damaged / "model.safetensors")
    tensors[name][:] = float("nan")
    save_file(tensors, damaged / "model.safetensors")
    message = refusal(engine, lab, damaged, "MODEL_INFERENCE_FAILED", precision=precision)
    assert "NaN" in message and "musicgen_precision" in message
    assert engine.render(lab.params(5), lab.Context(mono.folder, precision))


@pytest.mark.parametrize(
    "error",
    [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory")],
)
def test_too_little_memory_is_a_sentence_and_the_model_is_let_go(lab, engine, mono, monkeypatch, error):
    from lofi_daemon.backends.musicgen import loaded

    engine.render(lab.params(5), lab.Context(mono.folder))

    def full(*_):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(loaded, "NativeDecoder", full)
        assert "not enough memory" in refusal(engine, lab, mono.folder, "MODEL_INFERENCE_FAILED")
    assert engine.unload() is False
    assert engine.render(lab.params(5), lab.Context(mono.folder))


def test_a_batch_that_memory_cannot_hold_is_a_sentence(lab, engine, mono, monkeypatch, library):
    monkeypatch.setattr("lofi_daemon.backends.musicgen.loaded.build.load", lambda folder: library)
    with monkeypatch.context() as patch:
        patch.setattr(library, "lofi_decoder_new", lambda model: None)
        assert "not enough memory" in refusal(engine, lab, mono.folder, "MODEL_INFERENCE_FAILED")
    assert engine.render(lab.params(5), lab.Context(mono.folder))


def test_without_a_compiler_it_says_so_and_plays_the_same(lab, engine, mono, monkeypatch):
    from lofi_daemon.backends.musicgen.native import build

    (usual,) = engine.render(lab.params(5), lab.Context(mono.folder))
    engine.unload()

    def no(folder):
        raise build.CannotBuildError("no C compiler was found (cc, gcc or clang)")

    monkeypatch.setattr(build, "load", no)
    context = lab.Context(mono.folder)
    (made,) = engine.render(lab.params(5), context)
    assert len(context.notices) == 1 and "no C compiler was found" in context.notices[0]
    np.testing.assert_allclose(made.audio, usual.audio, atol=1e-5)


def test_a_model_of_a_size_that_the_c_step_does_not_take_goes_through_torch(lab, engine, tmp_path):
    tiny = lab.make(tmp_path / "odd", hidden_size=72, ffn_dim=100)
    context = lab.Context(tiny.folder)
    (made,) = engine.render(lab.params(5), context)
    assert len(made.audio) == 5 * RATE
    assert [notice for notice in context.notices if "unusual size" in notice] == context.notices != []


# ── a GPU that fails, made of a CPU ──


class Gpu:
    """``Loaded`` as it would be on a GPU, failing at some place."""

    def __init__(self, patch, error, where):
        from lofi_daemon.backends.musicgen import engine

        original, self.tried = engine.Loaded, []

        def load(equipment, device, *arguments):
            self.tried.append(device or equipment.device)
            if device == "cpu":
                return original(equipment, device, *arguments)
            if where == "loading":
                raise error
            made = original(equipment, "cpu", *arguments)
            if where == "starting":
                made.layers = self.fail
            return made

        self.error = error
        patch.setattr(engine, "Loaded", load)

    def fail(self, *_):
        raise self.error


@pytest.mark.parametrize("where", ["loading", "starting"])
@pytest.mark.parametrize("kind", ["OutOfMemoryError", "RuntimeError", "AssertionError"])
def test_a_gpu_that_fails_is_said_and_the_cpu_goes_on(lab, engine, mono, monkeypatch, where, kind):
    error = getattr(lab.torch, kind, None) or getattr(builtins, kind)
    gpu = Gpu(monkeypatch, error("CUDA failed somehow\nCompile with TORCH_USE_CUDA_DSA"), where)
    context = lab.Context(mono.folder, device="cuda")
    (made,) = engine.render(lab.params(5), context)
    assert gpu.tried == ["cuda", "cpu"]
    assert context.notices == ["The GPU failed (CUDA failed somehow); MusicGen goes on with the CPU, which is slower."]
    assert (engine.device, len(made.audio)) == ("cpu", 5 * RATE)
    np.testing.assert_array_equal(context.sound, made.audio)


def test_a_gpu_that_fails_in_the_middle_of_what_is_heard_ends_the_track(lab, engine, mono, monkeypatch):
    Gpu(monkeypatch, RuntimeError("CUDA error: unspecified launch failure"), "nowhere")
    context = lab.Context(mono.folder, device="cuda")
    context.stop_at, context.stop = 30, RuntimeError("CUDA error: unspecified launch failure")
    with pytest.raises(LofiError, match=r"in the middle of the track \(CUDA error: .*device=cpu") as failed:
        engine.render(lab.params(5), context)
    assert failed.value.name == "MODEL_INFERENCE_FAILED"


def test_the_bench_measures_this_engine(mono, built, monkeypatch):
    from lofi_daemon.backends.musicgen import engine as module

    monkeypatch.setattr(module, "generate_codes", module.generate_codes)  # the bench puts its own before it
    bench = runpy.run_path(str(Path(__file__).parents[2] / "bench/musicgen.py"))
    measured = bench["our_way"](mono.folder, 60, "cpu", "float32")
    assert len(measured["digest"]) and 0 < measured["first_audio_sec"] <= measured["whole_sec"]
    assert measured["tokens_per_sec"]["whole"] > 0
