from pathlib import Path

import pytest

from lofi_daemon import config


@pytest.fixture
def file(tmp_path):
    return tmp_path / "config.toml"


def load(file, *setup, **environ):
    return config.load(setup, environ, file, backends=("synth", "musicgen"))


def test_everything_has_a_default(file):
    loaded = load(file)
    assert loaded.settings == config.Settings()
    assert loaded.problems == ()


def test_setup_beats_environment_beats_file_beats_default(file):
    file.write_text("threads = 1\n[cache]\nmax_mb = 100\n")
    assert load(file).settings.threads == 1
    assert load(file, LOFI_THREADS="2").settings.threads == 2
    loaded = load(file, "threads=3", LOFI_THREADS="2")
    assert loaded.settings.threads == 3
    assert loaded.settings.cache.max_mb == 100
    assert loaded.sources["threads"] == "setup"
    assert loaded.sources["cache.max_mb"] == str(file)
    assert loaded.sources["device"] == "default"


@pytest.mark.parametrize(
    ("name", "value", "key", "want"),
    [
        ("LOFI_MODEL_PATH", "/m", "model_path", "/m"),
        ("LOFI_ACE_STEP_MODEL_PATH", "/a", "ace_step_model_dir", "/a"),
        ("LOFI_DEVICE", "cpu", "device", "cpu"),
        ("LOFI_DEVICE", "metal", "device", "mps"),
        ("LOFI_THREADS", "4", "threads", 4),
        ("LOFI_BACKEND", "musicgen", "default_backend", "musicgen"),
        ("LOFI_ACE_STEP_STEPS", "30", "ace_step_default_steps", 30),
        ("LOFI_ACE_STEP_SCHEDULER", "heun", "ace_step_default_scheduler", "heun"),
        ("LOFI_ACE_STEP_GUIDANCE", "7.5", "ace_step_default_guidance", 7.5),
        ("LOFI_EXECUTION_MODE", "cpu_only", "execution_mode", "cpu_only"),
        ("ACE_LATENT_DIR", "/l", "latent_dir", "/l"),
        ("ACE_LATENT_TTL_HOURS", "-1", "latent_ttl_hours", -1.0),
    ],
)
def test_the_published_environment_is_read(file, name, value, key, want):
    loaded = load(file, **{name: value})
    assert getattr(loaded.settings, key) == want
    assert loaded.sources[key] == f"environment {name}"
    assert loaded.problems == ()


def test_the_cache_path_is_the_folder_itself(file):
    assert load(file, LOFI_CACHE_PATH="/tmp/x").settings.cache_root == Path("/tmp/x")


@pytest.mark.parametrize(
    ("setup", "names"),
    [
        ("threads=many", "threads"),
        ("threads=-1", "threads"),
        ("device=toaster", "cuda"),
        ("default_backend=suno", "musicgen"),
        ("colour=blue", "colour"),
        ("cache.max_mb=x", "cache.max_mb"),
        ("nonsense", "key=value"),
        ("limit_hook=os:system", "config.toml"),
    ],
)
def test_a_value_that_does_not_fit_is_said_and_the_next_source_used(file, setup, names):
    loaded = load(file, setup)
    assert loaded.settings == config.Settings()
    assert len(loaded.problems) == 1
    assert names in loaded.problems[0]


@pytest.mark.parametrize("text", ["threads = ", "[cache", "\x00"])
def test_a_damaged_file_is_said_and_does_not_stop_the_daemon(file, text):
    file.write_text(text)
    loaded = load(file)
    assert loaded.settings == config.Settings()
    assert str(file) in loaded.problems[0]


def test_cpu_only_overrules_a_gpu_device_and_says_so(file):
    loaded = load(file, "device=cuda", "execution_mode=cpu_only")
    assert loaded.settings.device == "cpu"
    assert "cpu_only" in loaded.problems[0]


def test_no_limit_on_the_cache_is_zero(file):
    assert load(file, "cache.max_mb=0").settings.max_cache_bytes is None
    assert load(file, "cache.max_mb=5").settings.max_cache_bytes == 5_000_000
