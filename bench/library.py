"""The library buffer with many tracks: how long it holds up the editor, how long it takes, what it keeps in memory.

Usage: python bench/library.py [--json] [--tracks N]. Prints a table and, last, one line of JSON; with --json only that
line. A daemon made of nothing serves the tracks (tests/support/many_tracks.py), so that the figures are the editor's.
A block is the most processor time between two calls of a timer of a millisecond. Targets: no block over 10 ms while
tracks come, first screen at once.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TRACKS = 10_000

INSIDE = """
local hrtime = vim.uv.hrtime
local lofi = require('lofi')
lofi.setup({ progress = 'none', daemon = { cmd = daemon } })
local result, longest, last = { tracks = count }, 0, os.clock()
vim.uv.new_timer():start(1, 1, function()
  local now = os.clock()
  longest, last = math.max(longest, now - last), now
end)
local function measured(name, run, done)
  local start
  vim.wait(50, function() return false end, 5)
  start = hrtime()
  longest, last = 0, os.clock()
  run()
  assert(vim.wait(60000, done, 5), name)
  vim.wait(5, function() return false end, 1)
  result[name .. '_ms'] = (hrtime() - start) / 1e6
  result[name .. '_block_ms'] = longest * 1e3
end
local ready = false
lofi.status(function() ready = true end) -- the start of the daemon is not the library's
assert(vim.wait(60000, function() return ready end, 5))
local function lines() return vim.api.nvim_buf_line_count(vim.fn.bufnr('lofi://library')) end
local function title() return vim.wo[vim.fn.bufwinid('lofi://library')].winbar end

collectgarbage() collectgarbage()
local before = collectgarbage('count')
measured('first', function() require('lofi.library').open() end, function() return lines() > 50 end)
measured('all', function() end, function() return lines() == count and not title():find('are here') end)
collectgarbage() collectgarbage()
result.memory_mb = (collectgarbage('count') - before) / 1024
measured('refresh', function() vim.cmd.normal('R') end, function() return not title():find('are here') end)
measured('arrival', function() lofi.request('ping', { come = 1 }) end, function() return lines() == count + 1 end)
measured('burst', function() lofi.request('ping', { come = 200 }) end, function() return lines() == count + 201 end)
measured('delete_all', function() vim.cmd.normal('ggVGd') end, function() return lines() == 1 end)
measured('undo', function() vim.cmd.normal('u') end, function() return lines() > count end)
io.write(vim.json.encode(result))
vim.cmd('qall!')
"""

ROWS = (
    ("first page on the screen", "first_ms", "ms", "≤ 100"),
    ("  longest block", "first_block_ms", "ms", "≤ 10"),
    ("every track a line", "all_ms", "ms", ""),
    ("  longest block", "all_block_ms", "ms", "≤ 10"),
    ("asked again, nothing new", "refresh_ms", "ms", ""),
    ("  longest block", "refresh_block_ms", "ms", "≤ 10"),
    ("a track arrives: longest block", "arrival_block_ms", "ms", "≤ 10"),
    ("200 tracks arrive: longest block", "burst_block_ms", "ms", ""),
    ("all deleted at once: longest block", "delete_all_block_ms", "ms", ""),
    ("all brought back: longest block", "undo_block_ms", "ms", ""),
    ("memory of the editor for them", "memory_mb", "MB", ""),
)


def nvim() -> str:
    found = subprocess.run([ROOT / "scripts/find_nvim.sh"], capture_output=True, text=True, check=True)
    return str(ROOT / found.stdout.strip())


def inside(folder: Path, tracks: int) -> dict[str, float]:
    script = folder / "inside.lua"
    daemon = [sys.executable, str(ROOT / "tests/support/many_tracks.py"), str(tracks)]
    script.write_text(f"local daemon, count = vim.json.decode([==[{json.dumps(daemon)}]==]), {tracks}\n{INSIDE}")
    command = [nvim(), "--headless", "--clean", "--cmd", f"let &runtimepath = '{ROOT},' .. &runtimepath"]
    done = subprocess.run(
        [*command, "-c", f"luafile {script}", "-c", "cquit"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    parser.add_argument("--tracks", type=int, default=TRACKS)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        figures = {name: round(value, 2) for name, value in inside(Path(name), wanted.tracks).items()}
    if not wanted.json:
        for label, key, unit, target in ROWS:
            print(f"{label:<40} {figures[key]:>8.2f} {unit}  {target}")
    print(json.dumps({"bench": "library", **figures}))


if __name__ == "__main__":
    main()
