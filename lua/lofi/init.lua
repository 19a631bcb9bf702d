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
  local function learn_title(track_id)
    if track_id and not state.title(track_id) then
      client.request("cache_get", { track_id = track_id }, function(_, track)
        if track then
          state.remember(track.id, track.prompt)
          state.on_change()
        end
      end)
    end
  end
  events.on("playback_started", function(params)
    learn_title(params.track_id)
  end)
  events.on("daemon_joined", function()
    learn_title(state.current.playback.track_id)
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

--- Have a job made: what happens to it once it is accepted is shown by lofi.progress.
---@param kind "generate"|"pipeline"
---@param opts table
---@param callback? lofi.GenerateCallback
---@return string? job_id
local function accepted(kind, opts, callback)
  local announced = false
  return require("lofi.jobs")[kind](opts, function(err, result)
    if callback then
      callback(err, result)
    elseif not announced then
      complain(err)
    end
  end, function(reply)
    announced = true
    require("lofi.progress").accepted(reply)
  end)
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
  return accepted("generate", opts, callback)
end

--- Run a pipeline. `callback` is called when all of it is finished (or cannot be); each stage is told of by an event.
---@param opts string|lofi.PipelineOpts the text of a pipeline, or a table with one of `toml`, `stages`, `pipeline_id`
---@param callback? lofi.GenerateCallback
---@return string job_id to cancel it with
function M.pipeline(opts, callback)
  wire()
  if type(opts) ~= "table" then
    opts = { toml = opts }
  end
  return accepted("pipeline", opts, callback)
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

--- Go on with the next track of the playlist.
---@param callback? lofi.PlaybackCallback
function M.skip(callback)
  ask("skip", nil, callback)
end

--- Go back to the track before.
---@param callback? lofi.PlaybackCallback
function M.previous(callback)
  ask("previous", nil, callback)
end

--- Go to a place in the track.
---@param to number|string seconds, or as :LofiSeek takes it: "1:30", "+10", "-10"
---@param callback? lofi.PlaybackCallback
function M.seek(to, callback)
  wire()
  require("lofi.seek").to(to, callback or complain)
end

--- Set how long tracks fade into each other, or ask for it with nil.
---@param seconds? number 0–30
---@param callback? lofi.PlaybackCallback
function M.crossfade(seconds, callback)
  if seconds then
    ask("crossfade_set", { duration_sec = seconds }, callback)
  else
    ask("status", nil, callback and function(err, status)
      callback(err, status and status.playback)
    end)
  end
end

--- What plays after what. Tracks are named by their ids, 6 digits or more.
M.playlist = {}

---@param callback lofi.PlaylistCallback
function M.playlist.get(callback)
  ask("playlist_get", nil, callback)
end

--- Put tracks at the end of the playlist, or after the current one with `next`.
---@param tracks string|string[]
---@param opts? { next?: boolean }|lofi.PlaylistCallback may be left out
---@param callback? lofi.PlaylistCallback
function M.playlist.add(tracks, opts, callback)
  if type(opts) == "function" then
    opts, callback = nil, opts
  end
  local params = type(tracks) == "table" and { track_ids = tracks } or { track_id = tracks }
  params.next = opts and opts.next
  ask("playlist_add", params, callback)
end

---@param track string
---@param callback? lofi.PlaylistCallback
function M.playlist.remove(track, callback)
  ask("playlist_remove", { track_id = track }, callback)
end

---@param callback? lofi.PlaylistCallback
function M.playlist.clear(callback)
  ask("playlist_clear", nil, callback)
end

--- Set what happens at the end of a track, or ask for it with nil.
---@param mode? "off"|"one"|"all"
---@param callback? lofi.PlaylistCallback
function M.loop(mode, callback)
  ask(mode and "playlist_mode" or "playlist_get", mode and { loop = mode }, callback)
end

--- Set whether the playlist is played in any order, or ask for it with nil.
---@param on? boolean
---@param callback? lofi.PlaylistCallback
function M.shuffle(on, callback)
  if on == nil then
    ask("playlist_get", nil, callback)
  else
    ask("playlist_mode", { shuffle = on }, callback)
  end
end

--- Music without end: a prompt, a table of options, nil for the settings' own, or false to end it.
---@param opts? string|false|lofi.RadioOpts
---@param callback? fun(err: lofi.Error?, result: lofi.RadioState?)
function M.radio(opts, callback)
  if opts == false then
    ask("radio_stop", nil, callback)
  else
    ask("radio_start", type(opts) == "string" and { prompt = opts } or opts, callback)
  end
end

--- The moods that the radio knows by name.
---@param callback fun(err: lofi.Error?, result: { presets: lofi.Preset[] }?)
function M.presets(callback)
  ask("presets_list", nil, function(err, result)
    if result then
      require("lofi.state").current.presets = result.presets
    end
    callback(err, result)
  end)
end

--- Choose the sound device ("" = the system's default), or ask for all of them with nil.
---@param device? string its id, its name, or a part of the name
---@param callback? fun(err: lofi.Error?, result: lofi.Devices?)
function M.devices(device, callback)
  if device then
    ask("audio_device_set", { device = device }, callback)
  else
    ask("audio_devices", nil, callback)
  end
end

--- End the music after so many minutes; nil or 0 lets it go on.
---@param minutes? number
---@param callback? fun(err: lofi.Error?, result: { ends_in_sec: number? }?)
function M.sleep(minutes, callback)
  ask("sleep_set", { minutes = minutes or 0 }, callback)
end

--- Music while you work and silence in the break, turn and turn about; false ends it.
---@param opts { work_min: number, break_min: number, rounds?: integer }|false
---@param callback? fun(err: lofi.Error?, result: lofi.FocusState?)
function M.focus(opts, callback)
  if opts then
    ask("focus_start", opts, callback)
  else
    ask("focus_stop", nil, callback)
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

--- Open the library.
function M.library()
  require("lofi.library").open()
end

--- Open the player window, or close it.
function M.player()
  require("lofi.player").open()
end

--- Open the queue.
function M.queue()
  require("lofi.queue").open()
end

--- Open a pipeline as text; see |:LofiStudio|.
---@param path? string a file *.lofi.toml; nil = the studio that was used last
function M.studio(path)
  require("lofi.studio").open(path)
end

--- Show what a track came from and what came of it.
---@param track_id string or its beginning
function M.lineage(track_id)
  require("lofi.lineage").open(track_id)
end

--- Choose one of `what` with vim.ui.select; nil asks what first.
---@param what? "tracks"|"presets"|"playlist"|"backends"|"devices"
---@param query? string words that tracks must have
function M.pick(what, query)
  require("lofi.pick").open(what, query)
end

--- Fetch the weights of a backend, or go on with it; what `callback` hears is its end.
---@param backend string
---@param model? string nil = the backend's first
---@param callback? lofi.DownloadCallback
function M.download(backend, model, callback)
  wire()
  require("lofi.downloads").start(backend, model, callback or complain, callback)
end

--- End a download. What was fetched is kept, and the next one goes on from there.
---@param backend string
---@param callback? fun(err: lofi.Error?, result: { cancelled: boolean }?)
function M.cancel_download(backend, callback)
  ask("cancel_download", { backend = backend }, callback)
end

--- Install what a backend needs, upgrade or uninstall; see |:LofiInstall|. `callback` is called at its end.
---@param what "synth"|"musicgen"|"acestep"|"all"|"upgrade"|"uninstall"
---@param callback? fun(err: lofi.Error?, result: { what: string, venv: string }?)
function M.install(what, callback)
  require("lofi.install").run(what, callback or complain)
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

--- Text for a statusline, "" when nothing goes on; see |lofi-statusline|.
---@param opts? lofi.StatuslineOpts
---@return string
function M.statusline(opts)
  return wired and require("lofi.statusline").text(opts) or ""
end

--- The same as a table, for statuslines that draw themselves; see |lofi-statusline|.
---@param opts? lofi.StatuslineOpts
---@return lofi.Info
function M.info(opts)
  return wired and require("lofi.statusline").info(opts)
    or { state = "stopped", text = "", icon = "", radio = false }
end

--- End the daemon, for all editors that share it; the next command starts it again.
function M.restart()
  if wired then
    require("lofi.client").shut_down()
  end
end

return setmetatable(M, {
  __index = function(_, name)
    return require("lofi.compat")[name]
  end,
})
