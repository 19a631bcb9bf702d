"""Ours against transformers, with the same weights, prompts and seeds: the same tokens, the same samples."""

from __future__ import annotations

import pytest

FRAMES = 30

WAYS = {
    "greedy": {"do_sample": False},
    "sampled": {},
    "top-k and temperature": {"top_k": 10, "temperature": 0.8},
    "top-p": {"top_k": 0, "top_p": 0.7},
    "both": {"top_k": 20, "top_p": 0.9, "temperature": 1.3},
    "without guidance": {"guidance_scale": 1.0},
    "greedy without guidance": {"do_sample": False, "guidance_scale": 1.0},
}


@pytest.fixture(params=["C", "torch"])
def step(request, library):
    return library if request.param == "C" else None


@pytest.mark.parametrize("how", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize(("channels", "batch"), [(1, 1), (1, 4), (2, 3)])
def test_the_tokens_are_those_of_transformers(request, lab, step, channels, batch, how):
    tiny = request.getfixturevalue("mono" if channels == 1 else "stereo")
    expected = lab.their_codes(tiny, batch, FRAMES, seed=7, **how)
    sampling = lab.Sampling(**{"guidance_scale": 3.0} | how)
    assert lab.torch.equal(lab.our_codes(tiny, step, batch, FRAMES, 7, sampling), expected)
    assert expected.shape == (batch, 4 * channels, FRAMES)
    assert len(expected.unique()) > 8, "decided by the prompt and the past, not one token for ever"


def test_what_the_files_say_of_sampling_is_what_transformers_does_with_them(lab, mono):
    """An empty generation_config.json, too: transformers fills in its own."""
    assert mono.checkpoint.sampling == lab.Sampling(True, 3.0, 1.0, 50, 1.0)


@pytest.mark.parametrize("kind", ["mono", "stereo"])
def test_going_on_from_ones_own_beginning_is_going_on(request, lab, step, kind):
    tiny = request.getfixturevalue(kind)
    greedy = lab.Sampling(do_sample=False)
    whole = lab.our_codes(tiny, step, 2, FRAMES, 0, greedy)
    rest = lab.our_codes(tiny, step, 2, FRAMES, 0, greedy, whole[:, :, :11])
    assert lab.torch.equal(rest, whole[:, :, 11:])


@pytest.mark.parametrize("kind", ["mono", "stereo"])
@pytest.mark.parametrize("chunk", [1, 7, 25, 97])
def test_sound_in_chunks_is_the_sound_of_the_whole(request, lab, kind, chunk):
    tiny = request.getfixturevalue(kind)
    torch = lab.torch
    codes = torch.randint(0, lab.VOCABULARY, (2, tiny.checkpoint.decoder.codebooks, 97), generator=seeded(torch))
    expected = lab.their_samples(tiny, codes)
    stream = codec(tiny, torch).stream(2)
    parts = [stream.push(codes[:, :, at : at + chunk], last=at + chunk >= 97) for at in range(0, 97, chunk)]
    made = torch.cat(parts, 2)
    assert made.shape == expected.shape == (2, 1 if kind == "mono" else 2, 97 * 640)
    assert (made - expected).abs().max() <= 1e-5
    if chunk == 1:
        assert sum(part.shape[2] > 0 for part in parts) > 80, "it came as it was made"


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_less_than_the_codec_looks_around_is_sound_all_the_same(lab, mono, frames):
    torch = lab.torch
    codes = torch.randint(0, lab.VOCABULARY, (1, 4, frames), generator=seeded(torch))
    stream = codec(mono, torch).stream(1)
    early = [stream.push(codes[:, :, at : at + 1]) for at in range(frames - 1)]
    made = torch.cat([*early, stream.push(codes[:, :, frames - 1 :], last=True)], 2)
    assert (made - lab.their_samples(mono, codes)).abs().max() <= 1e-5


def codec(tiny, torch):
    from lofi_daemon.backends.musicgen.codec import Codec

    return Codec(tiny.checkpoint, torch.device("cpu"))


def seeded(torch):
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize(("precision", "bound"), [("float32", 1e-5), ("bfloat16", 0.03)])
def test_the_step_that_a_graph_would_record_computes_what_the_other_does(lab, mono, precision, bound):
    torch = lab.torch
    layers = lab.layers(mono, None, 2, 32, precision)
    layers.text(*lab.text_of(mono, 1, True))
    x = torch.randn(2, 9, mono.checkpoint.decoder.hidden, generator=torch.Generator().manual_seed(3))
    layers.forward(x[:, :6], 0)
    for first in (6, 7, 8):
        one = x[:, first : first + 1]
        recorded, plain = layers.single(one, first), layers.forward(one, first)
        assert float((recorded - plain).norm() / plain.norm()) < bound
    layers.close()


def test_a_gpu_without_graphs_goes_on_and_says_so(lab, mono):
    said = []
    layers = lab.layers(mono, None, 2, 32)
    layers._graphs, layers._said = True, said.append  # torch here has no CUDA: recording fails as it would there
    layers.text(*lab.text_of(mono, 1, True))
    x = lab.torch.randn(2, 2, mono.checkpoint.decoder.hidden, generator=lab.torch.Generator().manual_seed(3))
    first = layers.forward(x[:, :1], 0)
    assert lab.torch.isfinite(layers.forward(x[:, 1:], 1)).all() and lab.torch.isfinite(first).all()
    assert len(said) == 1 and "no CUDA graph" in said[0]
