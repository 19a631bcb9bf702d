"""The step in C against torch, at the edges of its sizes; and how it is compiled."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from lofi_daemon.backends.musicgen.native import build

BOUND = {"float32": 2e-6, "bfloat16": 0.015, "int8": 0.02}
"""Of the logits' error over their size, against float32 arithmetic with weights of that precision: what is left is the
cache, which has it too, and for int8 half of what the weights' rounding does."""

SHAPES = {
    "as usual": {},
    "heads of 16": {"hidden_size": 64, "num_attention_heads": 4},
    "heads of 12, feed-forward narrower than hidden": {"num_attention_heads": 8, "ffn_dim": 32},
    "one head of 256": {"hidden_size": 256, "num_attention_heads": 1},
    "heads of 64": {"hidden_size": 128, "num_attention_heads": 2},
    "ReLU": {"activation_function": "relu"},
    "one layer": {"num_hidden_layers": 1, "ffn_dim": 96},
}


@pytest.fixture(scope="session")
def portable(lab, tmp_path_factory):
    """The step without any instruction that not every processor has, and with every check of its bounds."""
    from lofi_daemon.backends.musicgen.native_decoder import declare

    path = tmp_path_factory.mktemp("portable") / "decoder.so"
    subprocess.run(["cc", *build.FLAGS, "-o", str(path), str(build.SOURCE), "-lpthread", "-lm"], check=True)
    library = ctypes.CDLL(str(path))
    declare(library)
    return library


def logits(lab, tiny, library, precision, sequences=3, threads=2, batches=(9, 1, 1, 5, 1), positions=64):
    """Of the last position of several calls, the same inputs for all: [calls, sequences, codebooks, vocabulary]."""
    torch = lab.torch
    generator = torch.Generator().manual_seed(2)
    hidden, heads = tiny.checkpoint.decoder.hidden, tiny.checkpoint.decoder.heads
    x = torch.randn(sequences, sum(batches), hidden, generator=generator)
    shape = (tiny.checkpoint.decoder.layers, sequences, heads, 5, hidden // heads)
    bias = torch.zeros(sequences, 5)
    bias[0, 3:] = bias[-1] = -1e30  # one prompt is padded, one sequence has none
    keys = torch.randn(shape, generator=generator) * (bias == 0)[None, :, None, :, None]
    values = torch.randn(shape, generator=generator) * (bias == 0)[None, :, None, :, None]
    layers = lab.layers(tiny, library, sequences, positions, precision, threads)
    try:
        layers.text(keys, values, bias)
        found, first = [], 0
        for count in batches:
            found.append(layers.forward(x[:, first : first + count], first).clone())
            first += count
        return torch.stack(found)
    finally:
        layers.close()


def error(made, exact):
    return float((made - exact).norm() / exact.norm())


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("kind", ["library", "portable"])
def test_it_computes_what_torch_does_in_every_precision(request, lab, tmp_path, kind, shape):
    library = request.getfixturevalue(kind)
    tiny = lab.make(tmp_path / "model", **shape)
    for precision, bound in BOUND.items():
        exact = logits(lab, lab.rounded(tiny, tmp_path / precision, precision), None, "float32")
        assert error(logits(lab, tiny, library, precision), exact) < bound, precision


@pytest.mark.parametrize("kind", ["library", "portable"])
def test_sums_that_32_bits_cannot_hold(request, lab, tmp_path, kind):
    """Every weight and every activation of a row as large as they get."""
    tiny = lab.make(tmp_path / "model", num_hidden_layers=1, ffn_dim=8704)
    (layer,) = tiny.model.decoder.model.decoder.layers
    layer.fc1.weight[:] = layer.fc1.weight[0]
    layer.fc2.weight[:48], layer.fc2.weight[48:] = 0.001, -0.001
    tiny.model.save_pretrained(tiny.folder)
    exact = logits(lab, lab.rounded(tiny, tmp_path / "int8", "int8"), None, "float32")
    assert error(logits(lab, tiny, request.getfixturevalue(kind), "int8"), exact) < BOUND["int8"]


@pytest.mark.parametrize("precision", BOUND)
def test_torchs_own_path_computes_it_too(lab, mono, tmp_path, precision):
    """For machines without a compiler; its bfloat16 is bfloat16 throughout."""
    exact = logits(lab, lab.rounded(mono, tmp_path / "model", precision), None, "float32")
    found = error(logits(lab, mono, None, precision), exact)
    assert found == 0 if precision == "float32" else 0 < found < 0.05


@pytest.mark.parametrize("precision", BOUND)
@pytest.mark.parametrize("sequences", [1, 8])
def test_the_number_of_threads_moves_no_bit(lab, mono, library, precision, sequences):
    one = logits(lab, mono, library, precision, sequences, threads=1, batches=(5, 1, 1))
    for threads in (2, 3, 4, 7):
        assert lab.torch.equal(logits(lab, mono, library, precision, sequences, threads, (5, 1, 1)), one)


@pytest.mark.parametrize("precision", BOUND)
def test_how_the_positions_are_parted_into_calls_moves_nothing(lab, mono, library, precision):
    whole = logits(lab, mono, library, precision, batches=(21,))
    apart = logits(lab, mono, library, precision, batches=(1,) * 21)
    assert error(whole[-1], apart[-1]) < 1e-6


def test_what_does_not_fit_is_refused_and_the_rest_goes_on(lab, mono, library):
    layers = lab.layers(mono, library, 2, 32)
    x = lab.torch.randn(2, 33, 96)
    layers.text(*lab.text_of(mono, 1, guided=True))
    assert layers.rows == 64
    for count, first in ((33, 0), (1, 32), (17, 16), (1, -1)):
        with pytest.raises(Exception, match="refused") as refused:
            layers.forward(x[:, :count], first)
        assert refused.value.name == "INTERNAL_ERROR"
    assert lab.torch.isfinite(layers.forward(x[:, :32], 0)).all()
    assert lab.torch.isfinite(layers.forward(x[:, :1], 31)).all()
    layers.close()
    layers.close()


def test_more_cores_than_the_step_has_use_for_are_no_failure(lab, mono, library):
    layers = lab.layers(mono, library, 1, 16, threads=192)
    layers.text(*lab.text_of(mono, 1, guided=False))
    assert lab.torch.isfinite(layers.forward(lab.torch.randn(1, 1, 96), 0)).all()
    layers.close()


def test_cores_that_the_sound_has_borrowed_do_not_step(lab, mono, library, monkeypatch):
    from lofi_daemon.backends.musicgen.crew import Cores
    from lofi_daemon.backends.musicgen.native_decoder import NativeDecoder, Weights

    step, hands, cores = library.lofi_decoder_step, [], Cores(4)
    monkeypatch.setattr(library, "lofi_decoder_step", lambda *told: hands.append(told[4]) or step(*told))
    layers = NativeDecoder(library, Weights(library, mono.checkpoint, "float32"), 1, 64, cores)
    layers.text(*lab.text_of(mono, 1, guided=False))
    x = lab.torch.randn(1, 40, 96)
    with cores.borrowed():
        layers.forward(x[:, :8], 0)
        for position in range(8, 24):
            layers.forward(x[:, position : position + 1], position)
    assert max(hands) == 3
    layers.forward(x[:, 24:], 24)
    assert hands[-1] == 4
    layers.close()


def test_a_prompt_longer_than_the_step_takes_is_a_sentence(lab, mono, library):
    layers = lab.layers(mono, library, 1, 16)
    states = lab.torch.zeros(3, 1, 4, 1025, 24)
    with pytest.raises(Exception, match="too long") as refused:
        layers.text(states, states, lab.torch.zeros(1, 1025))
    assert refused.value.name == "MODEL_INFERENCE_FAILED"
    layers.close()


@pytest.mark.parametrize("precision", BOUND)
@pytest.mark.parametrize("kind", ["library", "portable"])
def test_what_is_no_number_stays_none(request, lab, mono, kind, precision):
    """An overflow must not come out as a quiet zero: it would be heard as noise and never told."""
    layers = lab.layers(mono, request.getfixturevalue(kind), 1, 16, precision)
    layers.text(*lab.text_of(mono, 1, guided=False))
    x = lab.torch.randn(1, 1, 96)
    for wrong in (float("nan"), float("inf")):
        x[0, 0, 40] = wrong
        assert not lab.torch.isfinite(layers.forward(x, 0)).any()
    layers.close()


# ── compiling ──


def test_a_broken_library_is_compiled_anew(built, tmp_path):
    """Loading it would end the process."""
    (made,) = built.iterdir()
    (tmp_path / made.name).write_bytes(made.read_bytes()[:1000])
    assert build.load(tmp_path).lofi_decoder_max_rows() == 64
    assert [path.stat().st_size > 1000 for path in tmp_path.glob("*.so")] == [True]


def test_two_that_compile_at_once_both_have_it_and_nothing_is_left_over(tmp_path):
    folder = tmp_path / "native"
    code = (
        "import sys; from pathlib import Path; from lofi_daemon.backends.musicgen.native import build; "
        "print(build.load(Path(sys.argv[1])).lofi_decoder_max_rows())"
    )
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True) for _ in "ab"
    ]
    assert [process.communicate(timeout=100)[0] for process in both] == ["64\n", "64\n"]
    assert {path.suffix for path in folder.iterdir()} == {".so"}


@pytest.mark.parametrize(
    ("compiler", "reason"),
    [
        (None, "no C compiler was found"),
        ("#!/bin/sh\necho 'fatal error: stdio.h: gone' >&2; exit 1\n", r"could not compile it \(fatal error: stdio.h"),
        ("#!/bin/sh\nfor last; do :; done\nwhile [ $1 != -o ]; do shift; done; echo nothing > $2\n", "does not load"),
    ],
)
def test_without_a_compiler_that_works_the_reason_is_told(tmp_path, monkeypatch, compiler, reason):
    tools = tmp_path / "bin"
    tools.mkdir()
    if compiler:
        (tools / "cc").write_text(compiler)
        (tools / "cc").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(build.CannotBuildError, match=reason):
        build.load(tmp_path / "native")
    assert not list(Path(tmp_path / "native").glob("*.so"))


def test_a_folder_that_cannot_be_written_is_a_reason_too(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(build.CannotBuildError, match="could not be compiled"):
        build.load(tmp_path / "file" / "native")


# ── what stands around the step ──


@pytest.mark.parametrize("kind", ["library", "portable"])
@pytest.mark.parametrize("vocabulary", [64, 70, 2048])
@pytest.mark.parametrize("guided", [True, False])
def test_the_draws_in_c_are_torchs(request, lab, kind, vocabulary, guided):
    """Of any shape, with ties among the scores, with one generator for all and one for each."""
    from lofi_daemon.backends.musicgen.native_sampling import Sampler

    torch, library = lab.torch, request.getfixturevalue(kind)
    for seed, (top_k, temperature) in enumerate([(50, 1.0), (0, 0.7), (1, 1.3), (5000, 1.0), (7, 0.1)]):
        sampling = lab.Sampling(guidance_scale=3.0 if guided else 1.0, top_k=top_k, temperature=temperature)
        logits = torch.randn(6 if guided else 3, 4, vocabulary, generator=torch.Generator().manual_seed(seed)) * 3
        logits[:, 0] = logits[:, 0].round()
        for count in (1, 3):
            ours, theirs = (Sampler(one, sampling, seeds(torch, count), 3, 4, vocabulary) for one in (library, None))
            for _ in range(5):
                assert torch.equal(ours(logits), theirs(logits)), (top_k, temperature, count)


def seeds(torch, count):
    return tuple(torch.Generator().manual_seed(9 + i) for i in range(count))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("do_sample", [True, False])
def test_no_token_is_drawn_from_what_is_no_number(lab, library, do_sample, wrong):
    from lofi_daemon.backends.musicgen.native_sampling import Sampler

    torch = lab.torch
    for one in (library, None):
        logits = torch.zeros(2, 4, 64)
        logits[1, 3, 63] = wrong
        with pytest.raises(Exception, match="NaN") as refused:
            Sampler(one, lab.Sampling(do_sample=do_sample), seeds(torch, 1), 1, 4, 64)(logits)
        assert refused.value.name == "MODEL_INFERENCE_FAILED"


@pytest.mark.parametrize("kind", ["mono", "stereo"])
def test_the_embedding_of_a_position_in_c_is_torchs(request, lab, library, kind):
    from lofi_daemon.backends.musicgen.decoder import Embeddings

    torch, checkpoint = lab.torch, request.getfixturevalue(kind).checkpoint
    embeddings = Embeddings(checkpoint)
    shape = (3, checkpoint.decoder.codebooks)
    column = torch.randint(0, lab.VOCABULARY + 1, shape, generator=torch.Generator().manual_seed(4))
    for copies in (1, 2):
        ours, theirs = (embeddings.one(one, column, 1234, copies) for one in (library, None))
        assert ours.shape == (3 * copies, 1, 96)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
