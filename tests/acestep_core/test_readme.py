"""What the core's README shows runs as it stands, on a tiny model."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest
from support import tiny_acestep
from support.neovim import ROOT


def test_the_examples_run_one_after_the_other(
    v15: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import soundfile

    tiny_acestep.published(tmp_path / "checkpoints")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "acestep_core" / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    shorter = blocks[0].replace("seconds, batch, seed = 30, 2, 7", "seconds, batch, seed = 5, 2, 7")
    assert shorter != blocks[0]
    names: dict[str, object] = {}
    for block in (shorter, blocks[1]):
        exec(compile(block, "README.md", "exec"), names)
    assert capsys.readouterr().out.splitlines()[-1] == "8 of 8"
    sound, rate = soundfile.read("night.wav")
    assert (sound.shape, rate) == ((5 * 48_000, 2), 48_000)
    assert v15.layout.find([tmp_path / "checkpoints"], "turbo").distilled
