--- The player window: what plays, what comes and what is being made, with keys to steer.
local bar = require("lofi.ui.bar")
local frame = require("lofi.ui.frame")
local lines = require("lofi.player.lines")
local live = require("lofi.ui.live")
local rows = require("lofi.ui.rows")
local state = require("lofi.state")
local surface = require("lofi.ui.surface")
local words = require("lofi.command.words")

local M = {}

local COLUMNS = 54
local TICK_MS = 1000
local STEP_SEC = 10
local STEP_VOLUME = 0.05
local CROSSFADES = { 0, 2, 4, 6, 8, 12 }
local LOOPS = { off = "all", all = "one", one = "off" }

---@class lofi.player.View: lofi.player.Model
---@field surface lofi.ui.Surface
---@field rows lofi.ui.Rows
---@field drawn lofi.player.Lines
---@field height integer
---@field timer uv.uv_timer_t
---@field live lofi.ui.Live

local view ---@type lofi.player.View? while the window is open

--- Whether the lines change by themselves.
---@return boolean
local function moves()
  local now = state.current
  return now.playback.state == "playing" or now.focus ~= nil or now.sleep_at ~= nil
end

local function draw()
  local this = view
  if not this or not this.surface:is_open() then
    return
  end
  this.drawn = lines.draw(this, this.live.problem, frame.width(COLUMNS))
  if this.height ~= #this.drawn.rows then -- before the lines: they would scroll in a window too small for them
    this.height = #this.drawn.rows
    this.surface:place()
  end
  this.rows:show(this.surface, this.drawn.rows)
  if not moves() then
    this.timer:stop()
  elseif not this.timer:is_active() then
    this.timer:start(TICK_MS, TICK_MS, vim.schedule_wrap(draw))
  end
end

--- Keep what the daemon says of its player.
---@param result lofi.PlayerState
local function keep(result)
  if view then
    view.told = result
  end
end

--- Ask for what no event tells: that the device is waited for and why, the crossfade, the device's name.
local function ask()
  if view then
    view.live:ask("status", function(result)
      keep(result.playback)
    end)
  end
end

--- Ask the library about the track that plays. One that is still being made is not in it.
local function learn()
  local this, id = view, state.current.playback.track_id
  if not this or (this.track and this.track.id == id) then
    return
  end
  this.track = nil
  if not id then
    return
  end
  require("lofi").request("cache_get", { track_id = id }, function(err, track)
    if not err and view == this and state.current.playback.track_id == track.id then
      state.remember(track.id, track.prompt)
      this.track = track
      this.live:draw_soon()
    end
  end)
end

---@param params lofi.LibraryChange
local function on_library(params)
  local this = view
  if not this or not this.track then
    return
  end
  for _, track in ipairs(params.changed) do
    this.track = track.id == this.track.id and track or this.track
  end
  if params.reset or vim.list_contains(params.removed, this.track.id) then
    this.track = nil
    learn()
  end
end

local function forget()
  if view then
    view.told, view.track = nil, nil
  end
end

--- Events after which the daemon is asked, too: they may mean that a device came or went.
local ASK_AFTER = {
  "playback_started",
  "playback_paused",
  "playback_resumed",
  "playback_ended",
  "devices_changed",
  "engine_notice",
  "daemon_joined",
}

local DRAW_AFTER = {
  "playback_seeked",
  "volume_changed",
  "playlist_changed",
  "radio_changed",
  "focus_changed",
  "sleep_changed",
  "queue_changed",
  "generation_started",
  "generation_progress",
  "generation_error",
  "generation_cancelled",
}

--- What hears the answer to a key.
---@param told? fun(result: table)
---@return lofi.rpc.Callback
local function answered(told)
  return assert(view).live:answered(told)
end

---@param sign "+"|"-"
---@return fun()
local function seek(sign)
  return function()
    if not state.current.playback.track_id then
      words.say("nothing plays.")
      return
    end
    require("lofi").seek(sign .. STEP_SEC * vim.v.count1, answered(keep))
    draw()
  end
end

---@param level number
local function set_volume(level)
  level = math.max(0, math.min(1, level))
  state.apply("volume_changed", { level = level }) -- so that the next step counts from there
  require("lofi").volume(level, answered())
  draw()
end

---@param step number
---@return fun()
local function volume(step)
  return function()
    local by = step * vim.v.count1
    if state.current.volume then
      set_volume(state.current.volume + by)
    else
      require("lofi").volume(
        nil,
        answered(function(result)
          set_volume(result.level + by)
        end)
      )
    end
  end
end

local function favorite()
  local track = view and view.track
  if not track then
    local id = state.current.playback.track_id
    words.say(id and "the track is still being made." or "nothing plays.")
    return
  end
  require("lofi").request(
    "track_favorite",
    { track_id = track.id, favorite = not track.favorite },
    answered(function(changed)
      if view.track and view.track.id == changed.id then
        view.track = changed
      end
    end)
  )
end

local function crossfade()
  local now = view and view.told and view.told.crossfade_sec or 0
  local longer = vim.iter(CROSSFADES):find(function(seconds)
    return seconds > now
  end)
  require("lofi").crossfade(longer or CROSSFADES[1], answered(keep))
end

local function loop()
  local playlist = state.current.playlist
  require("lofi").loop(LOOPS[playlist and playlist.loop or "off"], answered())
end

local function shuffle()
  local playlist = state.current.playlist
  require("lofi").shuffle(not (playlist and playlist.shuffle), answered())
end

local function radio()
  if state.current.radio then
    require("lofi").radio(false, answered())
  else
    require("lofi").radio(nil, answered())
  end
end

local function play_this()
  local track = view and view.drawn.tracks[view.surface:row() + 1]
  if track then
    require("lofi").play(track, answered(keep))
  end
end

--- A click on a bar goes there; any other does what it always does.
local function click()
  local mouse = vim.fn.getmousepos()
  if view and mouse.winid == view.surface:window() then
    local before = (view.rows.texts[mouse.line] or ""):sub(1, mouse.column - 1)
    for name, target in pairs({ place = view.drawn.place, volume = view.drawn.volume }) do
      local column = vim.fn.strdisplaywidth(before) + 1 - target.first
      if mouse.line == target.row and column >= 0 and column < target.columns then
        local share = bar.share_at(column, target.columns)
        if name == "volume" then
          set_volume(share)
        else
          require("lofi").seek(share * (state.current.playback.duration_sec or 0), answered(keep))
        end
        return
      end
    end
  end
  vim.api.nvim_feedkeys(vim.keycode("<LeftMouse>"), "n", false)
end

---@param name "toggle"|"skip"|"previous"|"stop"
---@return fun()
local function command(name)
  return function()
    require("lofi")[name](answered(keep))
  end
end

---@param sub string
---@return fun()
local function room(sub)
  return function()
    require("lofi.command").run(sub)
  end
end

local function close()
  if view then
    view.surface:close()
  end
end

---@type lofi.ui.Key[]
local keys = {
  { { "<Space>", "p" }, "pause or play", command("toggle") },
  { "n", "next track", command("skip") },
  { "N", "track before", command("previous") },
  { { "l", "<Right>" }, "ten seconds on", seek("+") },
  { { "h", "<Left>" }, "ten seconds back", seek("-") },
  { { "+", "=" }, "louder", volume(STEP_VOLUME) },
  { "-", "quieter", volume(-STEP_VOLUME) },
  { "s", "shuffle on or off", shuffle },
  { "o", "loop off, all, one", loop },
  { "c", "longer crossfade, then none", crossfade },
  { "r", "radio on or off", radio },
  { "f", "favourite, or no more", favorite },
  { "<CR>", "play the track under the cursor", play_this },
  { "d", "choose the sound device", room("devices") },
  { "L", "the library", room("library") },
  { "Q", "the queue", room("queue") },
  { "x", "stop", command("stop") },
  { { "q", "<Esc>" }, "close", close },
}

local function on_close()
  local this = view
  view = nil
  if this then
    this.timer:close()
    this.live:close()
  end
end

local function show()
  local this = {
    rows = rows.new(),
    height = 1,
    timer = assert(vim.uv.new_timer()),
    live = live.new(draw),
  } ---@type lofi.player.View
  view = this
  this.surface = surface.open({
    name = "player",
    keys = keys,
    float = function()
      return frame.corner({ title = "lofi", footer = "g? keys", width = COLUMNS, height = this.height })
    end,
    paint = function(row)
      return this.rows:paint(row)
    end,
    on_close = on_close,
  })
  vim.api.nvim_set_option_value("cursorline", false, { win = this.surface:window(), scope = "local" })
  vim.keymap.set("n", "<LeftMouse>", click, { buffer = this.surface.buffer, desc = "lofi: go there" })
  for _, event in ipairs(ASK_AFTER) do
    this.live:on(event, function()
      learn()
      ask()
    end)
  end
  for _, event in ipairs(DRAW_AFTER) do
    this.live:on(event)
  end
  this.live:on("generation_complete", learn)
  this.live:on("library_changed", on_library)
  this.live:on("daemon_exited", forget)
  draw()
  learn()
  ask()
end

--- Open the window, or close it if it is open on this tab page.
function M.open()
  local window = view and view.surface:window()
  local here = window and vim.api.nvim_win_get_tabpage(window) == vim.api.nvim_get_current_tabpage()
  close()
  if not here then
    show()
  end
end

return M
