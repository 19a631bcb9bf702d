"""Settings and where each came from: setup() > environment > config.toml > default.

A value that does not fit is never an exception: the next source down is used and the problem is kept as a
sentence, which the daemon says to its first client and `lofi doctor` prints.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import platformdirs
from msgspec import Meta, Struct

from .model import AudioFormat

APP = "lofi.nvim"

Device = Literal["auto", "cpu", "cuda", "mps"]
ExecutionMode = Literal["cpu_only", "gpu_allowed"]
Output = Literal["auto", "sounddevice", "miniaudio", "none"]


class CacheSettings(Struct, frozen=True):
    dir: str = ""
    max_mb: Annotated[int, Meta(ge=0)] = 4096
    format: AudioFormat = "flac"


class PlayerSettings(Struct, frozen=True):
    output: Output = "auto"
    volume: Annotated[float, Meta(ge=0, le=1)] = 0.7
    device: str = ""
    crossfade_sec: Annotated[float, Meta(ge=0, le=30)] = 6.0
    resume: bool = False
    pause_on_battery: bool = False
    quiet_hours: str = ""
    mpris: bool = True


class RadioSettings(Struct, frozen=True):
    strategy: Literal["same_prompt", "preset_cycle", "random_preset", "library"] = "same_prompt"
    duration_sec: Annotated[float, Meta(ge=5, le=600)] = 180.0
    backend: str = ""


class DaemonSettings(Struct, frozen=True):
    shared: bool = True


class Settings(Struct, frozen=True):
    """Every knob of the daemon. Empty paths mean the platform's own folder (see the properties)."""

    default_backend: str = "auto"
    device: Device = "auto"
    execution_mode: ExecutionMode = "gpu_allowed"
    threads: Annotated[int, Meta(ge=0, le=1024)] = 0
    cache: CacheSettings = CacheSettings()
    player: PlayerSettings = PlayerSettings()
    radio: RadioSettings = RadioSettings()
    daemon: DaemonSettings = DaemonSettings()
    worker_nice: Annotated[int, Meta(ge=0, le=19)] = 10
    model_path: str = ""
    musicgen_precision: Literal["auto", "float32", "bfloat16", "int8"] = "auto"
    musicgen_stride_sec: Annotated[int, Meta(ge=5, le=29)] = 18
    ace_step_model_dir: str = ""
    ace_step_model: Literal["auto", "turbo", "base", "sft", "xl-turbo", "xl-base", "xl-sft"] = "auto"
    ace_step_precision: Literal["auto", "float32", "bfloat16"] = "auto"
    ace_step_default_steps: Annotated[int, Meta(ge=1, le=200)] = 60
    ace_step_default_scheduler: Literal["euler", "heun", "pingpong"] = "euler"
    ace_step_default_guidance: Annotated[float, Meta(ge=1, le=30)] = 15.0
    latent_dir: str = ""
    latent_ttl_hours: Annotated[float, Meta(ge=-1)] = 24.0
    idle_unload_min: Annotated[float, Meta(ge=0)] = 15.0
    idle_timeout_sec: Annotated[float, Meta(ge=0)] = 600.0
    limit_hook: str = ""

    @property
    def cache_root(self) -> Path:
        if self.cache.dir:
            return Path(self.cache.dir).expanduser().absolute()
        return platformdirs.user_cache_path(APP, appauthor=False)

    @property
    def models_root(self) -> Path:
        if self.model_path:
            return Path(self.model_path).expanduser().absolute()
        return self.cache_root / "models"

    @property
    def ace_step_root(self) -> Path:
        if self.ace_step_model_dir:
            return Path(self.ace_step_model_dir).expanduser().absolute()
        return self.cache_root / "ace-step"

    @property
    def latent_root(self) -> Path:
        if self.latent_dir:
            return Path(self.latent_dir).expanduser().absolute()
        return self.cache_root / "latents"

    @property
    def max_cache_bytes(self) -> int | None:
        """None = no limit (``cache.max_mb = 0``)."""
        return self.cache.max_mb * 1_000_000 or None


ENVIRONMENT: Mapping[str, str] = {
    "LOFI_MODEL_PATH": "model_path",
    "LOFI_ACE_STEP_MODEL_PATH": "ace_step_model_dir",
    "LOFI_CACHE_PATH": "cache.dir",
    "LOFI_DEVICE": "device",
    "LOFI_THREADS": "threads",
    "LOFI_BACKEND": "default_backend",
    "LOFI_ACE_STEP_STEPS": "ace_step_default_steps",
    "LOFI_ACE_STEP_SCHEDULER": "ace_step_default_scheduler",
    "LOFI_ACE_STEP_GUIDANCE": "ace_step_default_guidance",
    "LOFI_EXECUTION_MODE": "execution_mode",
    "LOFI_DAEMON_SHARED": "daemon.shared",
    "ACE_LATENT_DIR": "latent_dir",
    "ACE_LATENT_TTL_HOURS": "latent_ttl_hours",
}

FILE_ONLY = frozenset({"limit_hook"})
"""Keys that name code to run: taken from config.toml alone, which only the user can write."""


class Loaded(Struct, frozen=True):
    """``sources`` says for each dotted key where its value came from; ``problems`` are ready sentences; ``file`` is
    where config.toml is, or would be."""

    settings: Settings
    sources: dict[str, str]
    problems: tuple[str, ...] = ()
    file: Path = Path("config.toml")


def config_file() -> Path:
    return platformdirs.user_config_path(APP, appauthor=False) / "config.toml"


def load(
    setup: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
    file: Path | None = None,
    backends: Sequence[str] = (),
) -> Loaded:
    """Settings from all sources.

    ``setup`` holds ``key=value`` texts (the plugin's setup(), `--set` on the command line); ``backends``
    the names ``default_backend`` may have beside "auto" (empty = any).
    """
    file = config_file() if file is None else file
    types = _keys()
    values: dict[str, Any] = {}
    sources = dict.fromkeys(types, "default")
    problems: list[str] = []

    def take(source: str, key: str, raw: object) -> None:
        if key not in types:
            problems.append(f"{source}: there is no setting “{key}”{_nearest(key, types)}; `lofi doctor` lists them.")
            return
        if key in FILE_ONLY and source != str(file):
            problems.append(f"{source}: “{key}” can only be set in {file}.")
            return
        if key == "device" and raw == "metal":  # the name the published client uses
            raw = "mps"
        try:
            value = msgspec.convert(raw, types[key], strict=not isinstance(raw, str))
        except msgspec.ValidationError as error:
            problems.append(f"{source}: {key} = {raw!r} does not fit ({error}{_choices(types[key])}); ignored.")
            return
        if key == "default_backend" and backends and value not in ("auto", *backends):
            problems.append(f"{source}: default_backend = {raw!r} is unknown (auto, {', '.join(backends)}); ignored.")
            return
        values[key], sources[key] = value, source

    for key, raw in _read_file(file, problems).items():
        take(str(file), key, raw)
    for name, key in ENVIRONMENT.items():
        if environ.get(name, "") != "":
            take(f"environment {name}", key, environ[name])
    for text in setup:
        key, equals, raw = text.partition("=")
        if not equals:
            problems.append(f"--set {text}: write key=value.")
            continue
        take("setup", key.strip(), raw.strip())

    settings = _build(values)
    if settings.execution_mode == "cpu_only" and settings.device in ("cuda", "mps"):
        problems.append(
            f"device = {settings.device!r} is not used because execution_mode is cpu_only; "
            "set execution_mode = 'gpu_allowed' to use the GPU."
        )
        values["device"], sources["device"] = "cpu", "execution_mode"
        settings = _build(values)
    return Loaded(settings, sources, tuple(problems), file)


def flat(settings: Settings) -> dict[str, Any]:
    """Every setting by its dotted key."""
    values: dict[str, Any] = {}
    for key in _keys():
        group, dot, inner = key.partition(".")
        values[key] = getattr(getattr(settings, group), inner) if dot else getattr(settings, group)
    return values


def log_file() -> Path:
    """Where a shared daemon, which has no client's stderr to write to, keeps its log."""
    return platformdirs.user_log_path(APP, appauthor=False) / "daemon.log"


def _keys() -> dict[str, Any]:
    """Dotted key → type, in the order they are declared."""
    keys: dict[str, Any] = {}
    for field in msgspec.structs.fields(Settings):
        if isinstance(field.type, type) and issubclass(field.type, Struct):
            for inner in msgspec.structs.fields(field.type):
                keys[f"{field.encode_name}.{inner.encode_name}"] = inner.type
        else:
            keys[field.encode_name] = field.type
    return keys


def _nearest(key: str, keys: Iterable[str]) -> str:
    from difflib import get_close_matches  # 5 ms, for mistakes only

    found = get_close_matches(key, list(keys), 1)
    return f", perhaps “{found[0]}”" if found else ""


def _choices(of: Any) -> str:
    """msgspec leaves out what a Literal allows, which is what a person wants to know."""
    choices = getattr(of, "__args__", ())
    return ", one of: " + ", ".join(choices) if choices and all(isinstance(c, str) for c in choices) else ""


def _read_file(file: Path, problems: list[str]) -> dict[str, object]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.append(f"{file} could not be read ({error}); its settings are ignored until it is mended.")
        return {}
    flat: dict[str, object] = {}
    for key, value in document.items():
        if key == "presets":
            continue  # the radio's moods are no settings; radio.presets reads them
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": v for inner, v in value.items()}
        else:
            flat[key] = value
    return flat


def _build(values: Mapping[str, Any]) -> Settings:
    nested: dict[str, Any] = {}
    for key, value in values.items():
        group, dot, inner = key.partition(".")
        if dot:
            nested.setdefault(group, {})[inner] = value
        else:
            nested[key] = value
    return msgspec.convert(nested, Settings)
