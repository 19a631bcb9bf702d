--- The public API. Nothing else of the plugin is loaded before it is needed.
---
--- Callbacks are `function(err, result)`, called exactly once, on the main loop, also when the daemon dies or is
--- missing. `err` is nil or a lofi.Error whose `message` is one line. Without a callback errors are shown.
local M = {}

local wired = false

--- Connect the rooms that hear of each other only through events.
local function wire()
  if wired then
    return
  end
  wired = true
  local client = require("lofi.client")
  local events = require("lofi.events")
  local state = require("lofi.state")
  local statusline = require("lofi.statusline")
  state.on_change = statusline.refresh
  require("lofi.progress").attach()
  events.on("playback_started", function(params)
    if not state.title(params.track_id) then
      client.request("cache_get", { track_id = params.track_id }, function(_, track)
        if track then
          state.remember(track.id, track.prompt)
          state.on_change()
        end
      end)
    end
  end)
end

--- Show an error that no callback took. The end of the daemon was already told, once for all.
---@param err lofi.Error?
local function complain(err)
  if err and err.code ~= "DAEMON_EXITED" then
    require("lofi.message").say(err.message, vim.log.levels.ERROR)
  end
end

---@param method string
---@param params? table
---@param callback? lofi.rpc.Callback
local function ask(method, params, callback)
  wire()
  require("lofi.client").request(method, params, callback or complain)
end

--- Change settings; optional, and may be called again. Options that do not fit are reported and left at their
--- defaults. The daemon's own settings reach one that already runs with |:Lofi-restart|.
---@param opts? lofi.Config
function M.setup(opts)
  local config = require("lofi.config")
  local before = config.daemon_args()
  for _, problem in ipairs(config.set(opts)) do
    require("lofi.message").say(problem, vim.log.levels.WARN)
  end
  if wired then
    require("lofi.statusline").refresh()
    if require("lofi.client").running() and not vim.deep_equal(before, config.daemon_args()) then
      require("lofi.message").say("the running daemon takes its new settings with :Lofi restart")
    end
  end
end

--- Compose a track. `callback` is called when it is finished (or cannot be); progress comes as events.
---@param opts string|lofi.GenerateOpts a prompt, or a table of options
---@param callback? lofi.GenerateCallback
---@return string? job_id to cancel it with
function M.generate(opts, callback)
  wire()
  if type(opts) ~= "table" then
    opts = { prompt = opts }
  end
  local announced = false
  return require("lofi.jobs").generate(opts, function(err, result)
    if callback then
      callback(err, result)
    elseif not announced then -- what happens to an accepted job is shown by lofi.progress
      complain(err)
    end
  end, function(reply)
    announced = true
    if reply.status == "queued" and require("lofi.config").current.progress ~= "none" then
      require("lofi.message").say(("queued, %d ahead of it."):format(reply.position))
    end
  end)
end

--- Cancel a generation: a job id, a track id (6 digits or more), or nil for the one that runs.
---@param what? string
---@param callback? fun(err: lofi.Error?, result: { cancelled: boolean, was_generating: boolean }?)
function M.cancel(what, callback)
  wire()
  require("lofi.jobs").cancel(what, callback or complain)
end

--- Play a track (its id, 6 digits or more); without one go on after a pause, else play the newest.
---@param track_id? string
---@param callback? lofi.PlaybackCallback
function M.play(track_id, callback)
  ask("play", { track_id = track_id }, callback)
end

---@param callback? lofi.PlaybackCallback
function M.pause(callback)
  ask("pause", nil, callback)
end

---@param callback? lofi.PlaybackCallback
function M.resume(callback)
  ask("resume", nil, callback)
end

--- Pause what plays, go on with what is paused, else play the newest track.
---@param callback? lofi.PlaybackCallback
function M.toggle(callback)
  ask("toggle", nil, callback)
end

--- Stop the music. Generation goes on.
---@param callback? lofi.PlaybackCallback
function M.stop(callback)
  ask("stop", nil, callback)
end

--- Set the volume, or ask for it with nil.
---@param level? number 0–1
---@param callback? fun(err: lofi.Error?, result: { level: number }?)
function M.volume(level, callback)
  if level == nil then
    ask("volume_get", nil, callback)
  else
    ask("volume_set", { level = level }, callback)
  end
end

--- With a callback: what the daemon says of itself. Without: what is known already, at once.
---@param callback? fun(err: lofi.Error?, result: table?)
---@return lofi.State?
function M.status(callback)
  if callback then
    ask("status", nil, callback)
    return
  end
  return vim.deepcopy(require("lofi.state").current)
end

--- What can make music here.
---@param callback fun(err: lofi.Error?, result: { backends: lofi.Backend[], default_backend: string }?)
function M.backends(callback)
  ask("get_backends", nil, callback)
end

--- Any request of the protocol (doc/PROTOCOL.md).
---@param method string
---@param params? table
---@param callback? lofi.rpc.Callback
function M.request(method, params, callback)
  ask(method, params, callback)
end

--- Call `listener(data)` at every event of that name, see |lofi-events|.
---@param event string
---@param listener fun(data: table)
---@return fun() off ends it
function M.on(event, listener)
  return require("lofi.events").on(event, listener)
end

--- Text for a statusline, "" when nothing goes on. `escape` doubles percent signs, for places that expand items.
---@param opts? { escape?: boolean }
---@return string
function M.statusline(opts)
  if not wired then
    return ""
  end
  local text = require("lofi.statusline").text()
  return opts and opts.escape and (text:gsub("%%", "%%%%")) or text
end

--- Let the daemon go; the next command starts it again.
function M.restart()
  if wired then
    require("lofi.client").shut_down()
  end
end

return M
