"""What the loader asks for, against the tensors that transformers' models of the published sizes have.

All on the meta device: names and shapes, no numbers.
"""

from __future__ import annotations

import pytest

SMALL = {"num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 16, "ffn_dim": 4096}
MEDIUM = {"num_hidden_layers": 48, "hidden_size": 1536, "num_attention_heads": 24, "ffn_dim": 6144}
LARGE = {"num_hidden_layers": 48, "hidden_size": 2048, "num_attention_heads": 32, "ffn_dim": 8192}
STEREO = {"num_codebooks": 8, "audio_channels": 2}
MODELS = {
    "small": SMALL, "medium": MEDIUM, "large": LARGE,
    "stereo-small": SMALL | STEREO, "stereo-medium": MEDIUM | STEREO, "stereo-large": LARGE | STEREO,
    "melody": MEDIUM, "melody-large": LARGE, "stereo-melody": MEDIUM | STEREO,
}  # fmt: skip


def published(lab, model, folder):
    """The configuration's file, and names and shapes of the weights'."""
    import transformers

    kin = "MusicgenMelody" if "melody" in model else "Musicgen"
    configs = {kind: getattr(transformers, f"{kin}{kind}Config") for kind in ("", "Decoder")}
    text = transformers.T5Config(d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12)
    codec = transformers.EncodecConfig(
        sampling_rate=32_000, num_filters=64, upsampling_ratios=[8, 5, 4, 4], codebook_size=2048, hidden_size=128,
        codebook_dim=128, use_causal_conv=False, use_conv_shortcut=False, target_bandwidths=[2.2],
    )  # fmt: skip
    parts = {"text_encoder": text, "audio_encoder": codec, "decoder": configs["Decoder"](**MODELS[model])}
    config = configs[""](**{name: part.to_dict() for name, part in parts.items()})
    with lab.torch.device("meta"):
        whole = getattr(transformers, f"{kin}ForConditionalGeneration")(config)
    config.save_pretrained(folder)
    return {name: tuple(tensor.shape) for name, tensor in whole.state_dict().items()}


@pytest.mark.parametrize("model", MODELS)
def test_every_published_size_is_read_whole(lab, tmp_path, monkeypatch, model):
    from lofi_daemon.backends.musicgen import checkpoint as module
    from lofi_daemon.backends.musicgen import melody, text
    from lofi_daemon.backends.musicgen.codec import Codec
    from lofi_daemon.backends.musicgen.decoder import Embeddings, Text, head_weights, layer_weights
    from lofi_daemon.backends.musicgen.native_decoder import takes

    shapes = published(lab, model, tmp_path)
    asked = set()

    def tensor(self, name, *shape):
        assert shape in ((), shapes[name]), name
        asked.add(name)
        return lab.torch.empty(shapes[name], device="meta")

    monkeypatch.setattr(module, "_index", lambda folder: dict.fromkeys(shapes, folder))
    monkeypatch.setattr(module.Checkpoint, "tensor", tensor)
    checkpoint = module.open_checkpoint(tmp_path)
    config = checkpoint.decoder
    assert (config.layers, config.hidden, config.heads, config.ffn) == tuple(MODELS[model].values())[:4]
    assert (config.vocabulary, config.start, config.melody) == (2048, 2048, "melody" in model)
    assert (checkpoint.sample_rate, checkpoint.frame_rate) == (32_000, 50)
    assert takes(config), "all that are published go through the C step"
    for layer in range(config.layers):
        layer_weights(checkpoint, config, layer)
    head_weights(checkpoint, config)
    Embeddings(checkpoint)
    (melody.Prefix if config.melody else Text)(checkpoint)
    Codec(checkpoint, lab.torch.device("meta"))
    text.TextEncoder(checkpoint)._model()
    assert set(shapes) - asked == set()
