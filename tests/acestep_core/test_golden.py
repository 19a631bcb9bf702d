"""What the reference did, case by case, and that the runner would tell."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tiny_acestep import GOLDEN

from tests.golden.__main__ import check, main
from tests.golden.report import distance

SETS = ("core", "xl", "text_masks")


@pytest.mark.parametrize("name", SETS)
def test_every_case_of_the_reference_comes_out_the_same(name: str) -> None:
    cases = list(check(GOLDEN / name))
    assert len(cases) > 10
    assert [str(case) for case in cases if case.failed] == []


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The smallest set with a model, under a name that says nothing."""
    return Path(shutil.copytree(GOLDEN / "xl", tmp_path / "any"))


def rewrite(folder: Path, **changes: torch.Tensor | None) -> None:
    tensors = load_file(folder / "outputs.safetensors") | changes
    save_file({k: v for k, v in tensors.items() if v is not None}, folder / "outputs.safetensors")


def test_the_runner_prints_a_line_a_case_and_the_sum(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(copy)]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == f"{len(lines)} cases, 0 failed"
    assert any("turbo.t2m_sde_shift3  error " in line and "tolerance 0.0001" in line for line in lines)


@pytest.mark.parametrize(
    "key", ["mod.timbre_unpacked", "mod.encoder_mask", "turbo.t2m_ode_shift3.final", "base.cover_strength_0.5.t_evals"]
)
def test_an_output_that_differs_fails(copy: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    recorded = load_file(copy / "outputs.safetensors")[key]
    changed = ~recorded if recorded.dtype == torch.bool else recorded + 0.01
    rewrite(copy, **{key: changed})
    assert main([str(copy)]) == 1
    assert capsys.readouterr().out.splitlines()[-1].endswith("1 failed")


def test_what_is_no_number_is_infinitely_far_off_beside_whatever_else_is_compared() -> None:
    right, no_number = torch.zeros(2), torch.tensor([0.0, math.nan])
    assert max(distance(right, right), distance(right, no_number)) == math.inf
    assert max(distance(right, right), distance(no_number, right)) == math.inf


@pytest.mark.parametrize("change", [{"mod.unheard_of": torch.ones(2)}, {"turbo.t2m_ode_shift3.final": None}])
def test_an_output_that_nobody_checks_or_that_is_missing_fails(
    copy: Path, change: dict[str, torch.Tensor | None]
) -> None:
    rewrite(copy, **change)
    assert main([str(copy)]) == 1


def test_a_folder_of_no_known_layout_is_2(tmp_path: Path, copy: Path) -> None:
    assert main([]) == 2
    assert main([str(tmp_path / "nowhere")]) == 2
    (copy / "weights.safetensors").unlink()
    assert main([str(copy)]) == 2


def test_a_set_without_a_case_is_2(copy: Path) -> None:
    (copy / "cases.json").write_text("{}")
    save_file({}, copy / "outputs.safetensors")
    assert main([str(copy)]) == 2
