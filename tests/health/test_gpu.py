"""GPUs, PyTorch and the settings, made up: what is said of each, and the command that mends it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lofi_daemon import config
from lofi_daemon.health import cards, gpu, torch_build
from lofi_daemon.health.cards import Card
from lofi_daemon.health.child import Answer
from lofi_daemon.health.commands import Installation
from lofi_daemon.health.torch_build import TorchBuild

PACKAGE = Installation(None, Path("/env"), Path("/env/bin/python"))
H200 = Card("nvidia", "NVIDIA H200", "570.86.15", 143771)
OLD = Card("nvidia", "NVIDIA GeForce GTX 970", "470.1", 4096)
AMD = Card("amd", "AMD GPU (ROCm)")
CPU_BUILD = TorchBuild("2.13.0+cpu")
CUDA_BUILD = TorchBuild("2.13.0", cuda="13.0")
ROCM_BUILD = TorchBuild("2.13.0+rocm7.1", hip="7.1.25424")


def says(name: str, complaints: str = ""):
    """A torch that sees the GPU called ``name``, "" for none."""
    return lambda words, within_sec, environ: Answer(f'noise of a plugin\n"{name}"\n', "", complaints)


def look(found, build, *settings: str, ask=None, environ=None):
    loaded = config.load(settings, environ={}, file=Path("/nowhere/config.toml"))
    return list(gpu.look(loaded, found, build, PACKAGE, 5.0, ask=ask or says(""), environ=environ or {}))


def warnings(findings):
    return [finding for finding in findings if finding.level in ("warn", "error")]


def test_a_machine_without_gpu_and_torch_has_nothing_to_mend():
    findings = look([], None)
    assert {finding.level for finding in findings} == {"info"}
    assert "PyTorch is not installed" in findings[-1].text


def test_a_gpu_that_torch_sees_is_fine():
    findings = look([H200], CUDA_BUILD, ask=says("NVIDIA H200"))
    assert [finding.text for finding in findings] == [
        "NVIDIA H200, 143771 MiB, driver 570.86.15",
        "PyTorch 2.13.0 for CUDA 13.0 sees NVIDIA H200",
    ]
    assert not warnings(findings)


def test_a_cpu_build_beside_a_gpu_is_told_with_the_command_for_the_other_build():
    (warning,) = warnings(look([H200], CPU_BUILD))
    assert "An NVIDIA GPU is there, but PyTorch 2.13.0+cpu is no build for it" in warning.text
    assert warning.advice == ("Install the CUDA build: /env/bin/python -m pip install --force-reinstall torch",)


def test_a_cuda_build_beside_an_amd_gpu_is_told():
    (warning,) = warnings(look([AMD], CUDA_BUILD))
    assert "An AMD GPU is there" in warning.text
    assert "rocm" in warning.advice[0]
    assert not warnings(look([AMD], ROCM_BUILD, ask=says("AMD Radeon")))


def test_a_driver_too_old_for_the_build_names_the_one_that_is_needed():
    (warning,) = warnings(look([OLD], CUDA_BUILD))
    assert warning.text == "PyTorch 2.13.0 for CUDA 13.0 needs NVIDIA's driver 580 or newer, and 470.1 is installed"


def test_a_gpu_that_torch_does_not_see_is_told_in_torchs_own_words():
    (warning,) = warnings(look([H200], TorchBuild("2.6.0", cuda="12.4"), ask=says("", "UserWarning: CUDA error 804\n")))
    assert warning.text.endswith("does not see the GPU: UserWarning: CUDA error 804")


def test_a_torch_that_does_not_load_is_to_be_installed_again():
    broken = Answer("", "ImportError: libcudart.so.12: cannot open shared object file")
    (warning,) = warnings(look([], CUDA_BUILD, ask=lambda *words: broken))
    assert "does not load: ImportError: libcudart" in warning.text
    assert "--force-reinstall torch" in warning.advice[0]


def test_a_torch_that_takes_too_long_is_no_fault():
    findings = look([], CPU_BUILD, ask=lambda *words: Answer("", "it took more than 5 s", is_late=True))
    assert findings[-1].level == "info"
    assert "did not load within 5 s" in findings[-1].text


def test_torch_is_tried_as_the_worker_would_see_the_machine():
    seen = {}

    def ask(words, within_sec, environ):
        seen.update(environ)
        return Answer('""')

    assert not warnings(look([H200], CUDA_BUILD, "execution_mode=cpu_only", ask=ask))
    assert seen["CUDA_VISIBLE_DEVICES"] == ""


@pytest.mark.parametrize(
    ("found", "settings", "text"),
    [
        ([], ["device=cuda"], 'device = "cuda", from setup, but no such GPU is here'),
        ([H200], ["device=mps"], 'device = "mps", from setup, but this is no Mac'),
        ([H200], ["execution_mode=cpu_only"], 'No GPU is used: execution_mode = "cpu_only", from setup'),
        ([H200], ["device=cpu"], 'No GPU is used: device = "cpu", from setup'),
    ],
)
def test_settings_that_keep_a_gpu_out_or_ask_for_one_that_is_not_there_are_told(found, settings, text):
    told = [finding for finding in look(found, None, *settings) if finding.advice]
    assert [finding.text.startswith(text) for finding in told] == [True]
    assert told[0].advice[0].count('"auto"') == 1


def test_an_environment_that_hides_every_gpu_is_told():
    (warning,) = warnings(look([H200], None, environ={"CUDA_VISIBLE_DEVICES": ""}))
    assert "unset CUDA_VISIBLE_DEVICES" in warning.advice[0]


VERSION_FILE = """
from typing import Optional

__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip', 'xpu']
__version__ = '2.13.0+cu130'
debug = False
cuda: Optional[str] = '13.0'
git_version = 'abc'
hip: Optional[str] = None
"""


@pytest.mark.parametrize(
    ("source", "build"),
    [
        (VERSION_FILE, TorchBuild("2.13.0+cu130", cuda="13.0")),
        (VERSION_FILE.replace("'13.0'", "None").replace("+cu130", "+cpu"), TorchBuild("2.13.0+cpu")),
        ("__version__ = '2.9'\nhip = '7.1'\n", TorchBuild("2.9", hip="7.1")),
        ("this is ( no Python", TorchBuild("unknown")),
    ],
)
def test_the_build_of_torch_is_read_without_importing_it(tmp_path, monkeypatch, source, build):
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").write_text("raise AssertionError('imported')")
    (package / "version.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert torch_build.installed() == build


def test_no_torch_is_no_build():
    assert torch_build.installed(lambda name: None) is None


def machine(root, **more):
    return cards.Machine(platform="linux", root=root, which=lambda name: None, **more)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


NVRM = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (dvs-builder)\nGCC version:\n"
)


def test_nvidias_kernel_module_tells_of_cards_without_its_tools(tmp_path):
    assert cards.find(machine(tmp_path)) == []
    write(tmp_path / "proc/driver/nvidia/version", NVRM)
    write(tmp_path / "proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t NVIDIA H200\nIRQ: 1\n")
    assert cards.find(machine(tmp_path)) == [Card("nvidia", "NVIDIA H200", "570.86.15")]


def smi(answer: Answer, root: Path) -> cards.Machine:
    return cards.Machine(platform="linux", root=root, which=lambda name: f"/bin/{name}", ask=lambda *words: answer)


def test_nvidia_smi_tells_more(tmp_path):
    answer = Answer("NVIDIA H200, 143771, 570.86.15\nNVIDIA H200, 143771, 570.86.15\n")
    assert cards.find(smi(answer, tmp_path)) == [H200, H200]


def test_an_nvidia_smi_without_a_driver_is_no_card(tmp_path):
    assert cards.find(smi(Answer("", "couldn't communicate with the NVIDIA driver"), tmp_path)) == []


def test_a_driver_upgraded_under_a_running_kernel_asks_for_a_restart(tmp_path):
    write(tmp_path / "proc/driver/nvidia/version", NVRM)
    (card,) = cards.find(smi(Answer("", "Failed to initialize NVML: Driver/library version mismatch"), tmp_path))
    (warning,) = warnings(look([card], None))
    assert "version mismatch" in warning.text
    assert warning.advice == ("The driver was upgraded since the machine started: restart it",)


def test_an_amd_gpu_is_a_node_with_simd_units_and_may_be_closed_to_the_user(tmp_path):
    write(tmp_path / "sys/class/kfd/kfd/topology/nodes/0/properties", "cpu_cores_count 8\nsimd_count 0\n")
    write(tmp_path / "sys/class/kfd/kfd/topology/nodes/1/properties", "cpu_cores_count 0\nsimd_count 208\n")
    assert cards.find(machine(tmp_path)) == []
    write(tmp_path / "dev/kfd", "")
    assert cards.find(machine(tmp_path)) == [AMD]
    (warning,) = warnings(look([Card("amd", "AMD GPU (ROCm)", problem="you may not use /dev/kfd")], None))
    assert "usermod -aG render,video" in warning.advice[0]


@pytest.mark.parametrize(("architecture", "count"), [("arm64", 1), ("x86_64", 0)])
def test_a_mac_with_apple_silicon_has_a_gpu(tmp_path, architecture, count):
    assert len(cards.find(cards.Machine(platform="darwin", architecture=architecture, root=tmp_path))) == count
