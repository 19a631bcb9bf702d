"""``python -m tests.golden DIR [DIR …]``: a line a case, then ``N cases, M failed``.

Exits 0 if all are right, 1 if any is not, 2 for a folder of an unknown layout or without a case.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from .report import Case

TENSORS = ("inputs.safetensors", "outputs.safetensors")


def check(folder: Path) -> Iterator[Case]:
    """Every case of a set, whose kind its contents tell; ``ValueError`` for none that is known."""
    try:
        cases = json.loads((folder / "cases.json").read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder} has no cases.json that can be read ({error})") from None
    missing = [name for name in TENSORS if not (folder / name).is_file()]
    if missing:
        raise ValueError(f"{folder} has no {' and no '.join(missing)}")
    if "chunk_cases" in cases or "build_dit_inputs" in cases:
        from .text_set import TextSet

        return TextSet(folder).check()
    if (folder / "weights.safetensors").is_file() and (folder / "config.json").is_file():
        from .model_set import ModelSet

        return ModelSet(folder).check()
    raise ValueError(f"{folder} is laid out like no set that is known")


def main(arguments: list[str]) -> int:
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    total = failed = 0
    try:
        for folder in arguments:
            for case in check(Path(folder)):
                print(case, flush=True)
                total += 1
                failed += case.failed
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 2
    print(f"{total} cases, {failed} failed")
    return 2 if not total else 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
