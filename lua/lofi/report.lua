--- The lines of :LofiStatus.
local state = require("lofi.state")
local time = require("lofi.time")
local words = require("lofi.command.words")

local M = {}

--- What plays, what is being made, and with what.
---@param status table the daemon's own account
---@return string[]
function M.status(status)
  local lines = {}
  local function add(label, text, ...)
    table.insert(lines, ("%-12s %s"):format(label, text:format(...)))
  end
  local now = status.playback
  if now.track_id then
    local clock = ("%s of %s"):format(time.clock(now.position_sec or 0), time.clock(now.duration_sec or 0))
    add("Music", "%s: %s, %s", now.state, words.cut(words.name_of(now.track_id)), clock)
  else
    add("Music", "%s", now.message or now.state)
  end
  add("Volume", "%d %%", math.floor(now.volume * 100 + 0.5))
  if status.radio and status.radio.active then
    local radio = status.radio
    add("Radio", "%s", words.cut(radio.message or radio.preset or radio.prompt or radio.strategy))
  end
  local running = state.running()
  if status.generation then
    local name = words.cut(running and running.prompt or words.name_of(status.generation.track_id))
    add("Generating", "%s, %d %%", name, status.generation.percent or 0)
  else
    add("Generating", "nothing")
  end
  add("Waiting", "%d", #(status.queue.pending or {}))
  if status.cache.error then
    add("Library", "%s", status.cache.error)
  else
    add("Library", "tracks: %d, %.0f MB", status.cache.count, status.cache.bytes / 1e6)
  end
  add("Device", "%s (%s)", status.engine.device, status.engine.execution_mode)
  if state.current.daemon then
    local shared = state.current.daemon.shared and ", shared by all editors" or ""
    add("Daemon", "version %s, pid %d%s", state.current.daemon.version, state.current.daemon.pid, shared)
  end
  add("Log", "%s", vim.fn.fnamemodify(require("lofi.log").path(), ":~"))
  if state.current.daemon and state.current.daemon.log then
    add("Its log", "%s", vim.fn.fnamemodify(state.current.daemon.log, ":~"))
  end
  return lines
end

return M
