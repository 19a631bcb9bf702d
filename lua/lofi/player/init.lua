--- The player window: what plays, what comes and what is being made, with keys to steer.
local frame = require("lofi.ui.frame")
local keys_of = require("lofi.player.keys")
local lines = require("lofi.player.lines")
local live = require("lofi.ui.live")
local rows = require("lofi.ui.rows")
local state = require("lofi.state")
local surface = require("lofi.ui.surface")

local M = {}

local COLUMNS = 54
local TICK_MS = 1000

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

--- Ask for what no event tells: that the device is waited for and why, the crossfade, the device's name.
local function ask()
  if view then
    local this = view
    this.live:ask("status", function(result)
      this.told = result.playback
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
  local keys, click = keys_of(this)
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
  if view then
    view.surface:close()
  end
  if not here then
    show()
  end
end

return M
