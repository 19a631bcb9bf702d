"""Sets with strings and frames: ``text_masks``. Prompts, instructions, codes, masks, padding, splices, tiles."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from acestep_core.conditioning import prompts
from acestep_core.conditioning.masks import SAMPLE_RATE, Item, Window, frames, outpaint
from acestep_core.conditioning.repaint import hold, splice
from acestep_core.conditioning.tiles import decode_whole

from .report import Case, attempt, differences, distance, unchecked

FRAMES = 2e-6
AUDIO = 1e-5


class TextSet:
    def __init__(self, folder: Path) -> None:
        self.inputs = load_file(folder / "inputs.safetensors")
        self.outputs = load_file(folder / "outputs.safetensors")
        self.cases: dict[str, Any] = json.loads((folder / "cases.json").read_text())

    def check(self) -> Iterator[Case]:
        left = set(self.outputs)
        for key, recorded in self.cases.items():
            lists: dict[str, Callable[[dict[str, Any]], float]] = {
                "build_dit_inputs": self._prompt,
                "instructions": self._instruction,
                "parse_codes": lambda case: differences(prompts.parse_codes(case["text"]), case["codes"]),
                "resolve_repaint_config": self._hold,
            }
            if key in lists:
                for number, case in enumerate(recorded):
                    yield attempt(f"{key}[{number}]", 0.0, lambda check=lists[key], c=case: check(c))
            elif key.startswith("prepare_padding_info"):
                yield from self._paddings(key, recorded)
            elif key == "chunk_cases":
                for name, case in recorded.items():
                    left -= {k for k in left if k.rpartition(".")[0] == name}
                    yield attempt(name, FRAMES, lambda n=name, c=case: self._frames(n, c))
            elif key.startswith("splice."):
                left.discard(key)
                yield attempt(key, AUDIO, lambda k=key, c=recorded: self._splice(k, c))
            elif recorded:
                yield from unchecked({key})
        for key in sorted(k for k in left if k.startswith("tile.")):
            left.discard(key)
            yield attempt(key, AUDIO, lambda k=key: self._tiles(k))
        yield from unchecked(left)

    def _prompt(self, case: dict[str, Any]) -> float:
        text = prompts.text_prompt(case["caption"], case["metas"], case["instruction"])
        lyric = prompts.lyric_prompt(case["lyrics"], case["language"], case["metas"])
        return differences((text, lyric), (case["text"], case["lyric_text"]))

    def _instruction(self, case: dict[str, Any]) -> float:
        return differences(prompts.instruction(case["task"], case["track"], case["classes"]), case["text"])

    def _hold(self, case: dict[str, Any]) -> float:
        made = hold(case["strength"], case["mode"])
        recorded = (case["injection_ratio"], case["crossfade_frames"], case["wav_crossfade_sec"])
        return 0.0 if _close((made.injection, made.crossfade_frames, made.crossfade_sec), recorded) else 1.0

    def _paddings(self, key: str, recorded: dict[str, dict[str, Any]]) -> Iterator[Case]:
        seconds = re.search(r"\(([\d.]+) s source\)", key)
        if seconds is None:
            yield from unchecked({key})
            return
        samples = int(float(seconds[1]) * SAMPLE_RATE)
        for name, case in recorded.items():
            yield attempt(f"{key}.{name}", 0.0, lambda c=case: self._padding(samples, c))

    def _padding(self, samples: int, case: dict[str, Any]) -> float:
        made = outpaint(Window(case["start"], case["end"]), samples)
        got = (made.window.start, made.window.end, made.left + samples + made.right, made.left, made.left + samples)
        said = (*case["out_start"], *case["out_end"], case["samples"], case["nonzero_from"], case["nonzero_to"])
        return 0.0 if _close(got, said) else 1.0

    def _frames(self, name: str, case: dict[str, Any]) -> float:
        made = frames(
            [_item(case, i) for i in range(len(case["instructions"]))],
            self.inputs["target_latents"],
            self.inputs["silence_latent_tiled"],
        )
        results = {
            "chunk_masks": made.make,
            "is_covers": made.cover,
            "src_latents": made.source,
            "repaint_mask": made.window,
        }
        recorded = {k.rpartition(".")[2]: v for k, v in self.outputs.items() if k.rpartition(".")[0] == name}
        errors = [differences([list(span) for span in made.spans], case["spans"])]
        for key in results.keys() | recorded.keys():
            result = results.get(key)
            errors.append(
                differences(result, recorded.get(key))
                if result is None or key not in recorded
                else distance(result, recorded[key])
            )
        return max(errors)

    def _splice(self, key: str, case: dict[str, Any]) -> float:
        pred, source = self.inputs["splice_pred"], self.inputs["splice_src"]
        made = splice(pred, source, case["starts"], case["ends"], case["crossfade_duration"], case["sample_rate"])
        return distance(made, self.outputs[key])

    def _tiles(self, key: str) -> float:
        latents, recorded = self.inputs["tile_latents"], self.outputs[key]
        rate = recorded.shape[-1] // latents.shape[-1]

        def vae(stretch: Tensor) -> Tensor:
            """Seven frames wide: their mean over channels and time, repeated, in opposite phase left and right."""
            mean = stretch.mean(dim=1, keepdim=True)
            wide = torch.nn.functional.conv1d(mean, torch.full((1, 1, 7), 1 / 7), padding=3)
            mono = wide.repeat_interleave(rate, dim=-1)
            return torch.cat([mono, -mono], dim=1)

        if key == "tile.full":
            return distance(vae(latents), recorded)
        found = re.fullmatch(r"tile\.chunk(\d+)_overlap(\d+)", key)
        if found is None:
            raise ValueError("no meaning is known for this tile")
        return distance(decode_whole(vae, latents, int(found[1]), int(found[2])), recorded)


def _item(case: dict[str, Any], i: int) -> Item:
    starts, ends, modes = case["repainting_start"], case["repainting_end"], case["chunk_mask_modes"]
    window = None if starts is None or ends is None else Window(starts[i], ends[i])
    return Item(
        _task(case["instructions"][i]),
        window,
        sourced=case["source_audio_nonsilent"],
        coded=case["audio_code_hints"][i] is not None,
        auto=bool(modes) and modes[i] == "auto",
    )


def _task(instruction: str) -> str:
    """The task that an instruction belongs to: the reference went by its first word where we are told the task."""
    verb, _, rest = instruction.partition(" ")
    if verb == "Generate":
        return "lego" if "track" in rest else "cover"
    return {"Repaint": "repaint", "Extract": "extract", "Complete": "complete"}.get(verb, "text2music")


def _close(made: tuple[Any, ...], recorded: tuple[Any, ...]) -> bool:
    return len(made) == len(recorded) and all(abs(a - b) < 1e-9 for a, b in zip(made, recorded, strict=True))
