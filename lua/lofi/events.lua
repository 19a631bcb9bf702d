--- What happens in the daemon, told to Lua listeners and as `User` autocommands.
---
--- Listeners use the names of the wire ("generation_progress"); autocommands group them as users meet them.
local M = {}

--- Event → pattern of its `User` autocommand; `data` of the autocommand is what listeners get.
---@type table<string, string>
M.AUTOCOMMANDS = {
  generation_started = "LofiStarted",
  generation_progress = "LofiProgress",
  stage_complete = "LofiStage",
  generation_complete = "LofiDone",
  generation_error = "LofiError",
  generation_cancelled = "LofiCancelled",
  queue_changed = "LofiQueue",
  library_changed = "LofiLibrary",
  playback_started = "LofiPlayback",
  playback_paused = "LofiPlayback",
  playback_resumed = "LofiPlayback",
  playback_ended = "LofiPlayback",
  playback_seeked = "LofiPlayback",
  volume_changed = "LofiVolume",
  playlist_changed = "LofiPlaylist",
  radio_changed = "LofiRadio",
  focus_changed = "LofiFocus",
  sleep_changed = "LofiSleep",
  devices_changed = "LofiDevices",
  backend_status = "LofiBackend",
  download_progress = "LofiDownload",
  engine_notice = "LofiNotice",
  daemon_exited = "LofiExit",
}

--- The names under which the first lofi.nvim knew its events.
M.EVENTS = {
  GENERATION_START = "generation_start",
  GENERATION_PROGRESS = "generation_progress",
  GENERATION_COMPLETE = "generation_complete",
  GENERATION_ERROR = "generation_error",
  DOWNLOAD_PROGRESS = "download_progress",
}

--- A name that has changed since → the one of now.
local RENAMED = { generation_start = "generation_started" }

---@type table<string, fun(data: table)[]>
local listeners = {}

--- Call `listener(data)` on the main loop at every `event`.
---@param event string
---@param listener fun(data: table)
---@return fun() off ends it
function M.on(event, listener)
  event = RENAMED[event] or event
  listeners[event] = listeners[event] or {}
  table.insert(listeners[event], listener)
  return function()
    M.off(event, listener)
  end
end

--- End what `on` began.
---@param event string
---@param listener fun(data: table)
function M.off(event, listener)
  local known = listeners[RENAMED[event] or event] or {}
  for i, one in ipairs(known) do
    if one == listener then
      table.remove(known, i)
      return
    end
  end
end

--- Tell everyone. A listener that fails is reported and stops no other.
---@param event string
---@param data table
function M.emit(event, data)
  for _, listener in ipairs(vim.list_slice(listeners[event] or {})) do
    local ok, err = pcall(listener, data)
    if not ok then
      require("lofi.message").failed(("the listener of %s"):format(event), err)
    end
  end
  local pattern = M.AUTOCOMMANDS[event]
  if pattern then
    local ok, err =
      pcall(vim.api.nvim_exec_autocmds, "User", { pattern = pattern, modeline = false, data = data })
    if not ok then
      require("lofi.message").failed(("an autocommand for User %s"):format(pattern), err)
    end
  end
end

return M
