"""The plugin: what it costs to have installed, what a statusline call and 1,000 notifications cost.

Usage: python bench/plugin.py [--json]. Prints a table and, last, one line of JSON; with --json only that line.
`plugin/lofi.vim` is Neovim's own "sourcing" figure (--startuptime), cold, median of many starts, as are
`require('lofi')` with setup() and the first command, up to the start of a daemon that says nothing; the rest is
measured inside one editor, medians of many rounds. Targets: plugin file ≤ 0.1 ms, statusline call ≤ 20 µs.

Others by the same "sourcing" figure, measured on two cores of a server with Linux and Neovim 0.11: conform.nvim 0.03
ms, nvim-dap 0.08, overseer.nvim 0.56, gitsigns.nvim 3.3.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STARTS = 40
FIRST_USES = 10

FIRST = """
local hrtime = vim.uv.hrtime
local result = {}
local start = hrtime()
require('lofi').setup({ progress = 'none', daemon = { cmd = { 'sh', '-c', 'cat >/dev/null' } } }) -- one that is silent
result.setup_ms = (hrtime() - start) / 1e6
start = hrtime()
vim.cmd.LofiVolume()
result.first_command_ms = (hrtime() - start) / 1e6
io.write(vim.json.encode(result))
vim.cmd('qall!')
"""

# No real daemon is needed: notifications come out of `cat`, through the plugin's own reader.
INSIDE = """
local hrtime = vim.uv.hrtime
local function median(list)
  table.sort(list)
  return list[math.ceil(#list / 2)]
end
local result = {}

local start
local lofi = require('lofi')
lofi.setup({ progress = 'none', daemon = { cmd = { 'sh', '-c', 'cat >/dev/null' } } }) -- one that is silent
lofi.status(function() end) -- connects the rooms

jit.off() -- a statusline is never called often enough in a row to be compiled
local idle = {}
for round = 1, 50 do
  start = hrtime()
  for _ = 1, 1000 do lofi.statusline() end
  idle[round] = (hrtime() - start) / 1e6
end
result.statusline_idle_us = median(idle)

local state, mirror = require('lofi.state'), require('lofi.mirror')
mirror.apply('playback_started', { track_id = 'a', position_sec = 0, duration_sec = 600 })
state.remember('a', 'rainy night, mellow rhodes, 75 bpm')
state.add_job('j', 'sad piano', true)
mirror.apply('generation_progress', { job_id = 'j', percent = 45, eta_sec = 3 })
assert(lofi.statusline() == '♪ rainy night 0:00 lofi 45% 0:03', lofi.statusline())
local busy = {}
for round = 1, 50 do
  start = hrtime()
  for _ = 1, 1000 do lofi.statusline() end
  busy[round] = (hrtime() - start) / 1e6
end
result.statusline_us = median(busy)

local rpc = require('lofi.rpc')
local client_heard = 0
local line = vim.json.encode({ jsonrpc = '2.0', method = 'generation_progress', params = { job_id = 'j',
  track_id = ('a'):rep(64), percent = 45, current_step = 45, total_steps = 100, eta_sec = 3.2, stage_index = 0,
  stages = 1 } }) .. '\\n'
local events = require('lofi.events')
events.on('generation_progress', function() client_heard = client_heard + 1 end)
local rounds = {}
for round = 1, 20 do
  client_heard = 0
  local path = vim.fn.tempname()
  vim.fn.writefile(vim.split(line:rep(1000), '\\n', { trimempty = true }), path)
  local connection
  start = hrtime()
  connection = rpc.start({ 'cat', path }, nil, {
    notification = function(method, params)
      mirror.apply(method, params)
      events.emit(method, params)
    end,
    stderr = function() end, stray = function(text) error(text) end, failed = error, exit = function() end,
  })
  assert(vim.wait(10000, function() return client_heard == 1000 end, 1))
  rounds[round] = (hrtime() - start) / 1e6
end
result.notifications_1000_ms = median(rounds)
io.write(vim.json.encode(result))
vim.cmd('qall!')
"""

ROWS = (
    ("sourcing plugin/lofi.vim", "plugin_file_ms", "ms", "≤ 0.1"),
    ("require('lofi') and setup()", "setup_ms", "ms", ""),
    ("the first command: the rest, and a daemon", "first_command_ms", "ms", ""),
    ("statusline(), nothing goes on", "statusline_idle_us", "µs", "≤ 20"),
    ("statusline(), playing and generating", "statusline_us", "µs", "≤ 20"),
    ("1,000 notifications, pipe to listener", "notifications_1000_ms", "ms", ""),
)


def nvim() -> str:
    found = subprocess.run([ROOT / "scripts/find_nvim.sh"], capture_output=True, text=True, check=True)
    return str(ROOT / found.stdout.strip())


def editor(*arguments: str) -> str:
    """What it writes to stdout; what ends in an error ends the benchmark with it."""
    command = [nvim(), "--headless", "--clean", "--cmd", f"let &runtimepath = '{ROOT},' .. &runtimepath", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"The editor failed:\n{done.stderr}")
    return done.stdout


def sourcing_ms(folder: Path) -> float:
    log = folder / "startuptime"
    figures = []
    for _ in range(STARTS):
        log.unlink(missing_ok=True)
        editor("--startuptime", str(log), "+qall!")
        line = next(line for line in log.read_text().splitlines() if line.endswith(f"sourcing {ROOT}/plugin/lofi.vim"))
        figures.append(float(line.split()[1]))
    return statistics.median(figures)


def measured(folder: Path, code: str) -> dict[str, float]:
    """The figures that ``code`` writes. It leaves by itself; where it fails on the way, cquit says so."""
    script = folder / "inside.lua"
    script.write_text(code)
    return dict(json.loads(editor("-c", f"luafile {script}", "-c", "cquit")))


def first_use(folder: Path) -> dict[str, float]:
    uses = [measured(folder, FIRST) for _ in range(FIRST_USES)]
    return {name: statistics.median(use[name] for use in uses) for name in uses[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print only the line of JSON")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = {"plugin_file_ms": sourcing_ms(folder)} | first_use(folder) | measured(folder, INSIDE)
    figures = {name: round(value, 3) for name, value in figures.items()}
    if not wanted.json:
        for label, key, unit, target in ROWS:
            print(f"{label:<40} {figures[key]:>8.3f} {unit}  {target}")
    print(json.dumps({"bench": "plugin", **figures}))


if __name__ == "__main__":
    main()
