--- The playlist as a window: a track a line, in order, with the one that plays.
local config = require("lofi.config")
local frame = require("lofi.ui.frame")
local live = require("lofi.ui.live")
local message = require("lofi.message")
local mirror = require("lofi.mirror")
local modes = require("lofi.ui.modes")
local rows = require("lofi.ui.rows")
local state = require("lofi.state")
local surface = require("lofi.ui.surface")
local time = require("lofi.time")
local words = require("lofi.command.words")

local M = {}

local COLUMNS = 64
local MIN_NUMBERS = 4 -- 'numberwidth' as it is if nobody sets it
local EMPTY =
  "The playlist is empty. In :LofiLibrary the key a puts tracks in, and so does :LofiPlaylist add {track}."

---@class lofi.playlist.View
---@field surface lofi.ui.Surface
---@field rows lofi.ui.Rows
---@field live lofi.ui.Live
---@field tracks lofi.PlaylistEntry[] those that are shown, by row from 1
---@field lines table<string, string> by track, for the width of now: one change does not make ten thousand again
---@field width integer
---@field height integer
---@field title string

local view ---@type lofi.playlist.View? while the window is open

---@param entry lofi.PlaylistEntry
---@param width integer
---@return string
local function line_of(entry, width)
  local length = time.clock(entry.duration_sec)
  local name = vim.trim(entry.prompt):gsub("[%s%c]+", " ")
  return rows.fit(name, width - #length - 2) .. " " .. length
end

---@param this lofi.playlist.View
---@param playlist lofi.Playlist
---@return string[]
local function track_lines(this, playlist)
  local mark = config.current["icons.playing"] .. " "
  local blank = (" "):rep(vim.fn.strdisplaywidth(mark))
  local numbers = math.max(MIN_NUMBERS, #tostring(#playlist.tracks) + 1)
  local width = frame.width(COLUMNS) - numbers - #blank
  if width ~= this.width then
    this.lines, this.width = {}, width
  end
  local texts, lines = {}, {} ---@type string[], table<string, string>
  for i, entry in ipairs(playlist.tracks) do
    local line = this.lines[entry.track_id] or line_of(entry, width)
    lines[entry.track_id] = line
    texts[i] = (playlist.index == i - 1 and mark or blank) .. line
  end
  this.lines = lines
  return texts
end

--- What to read where there are no tracks to choose from.
---@param this lofi.playlist.View
---@param playlist lofi.Playlist?
---@return string?
local function sentence(this, playlist)
  if this.live.problem then
    return this.live.problem
  elseif not playlist then
    return "asking the daemon"
  end
  return #playlist.tracks == 0 and EMPTY or nil
end

---@param this lofi.playlist.View
---@param height integer
---@param playlist lofi.Playlist?
local function place(this, height, playlist)
  local title = "lofi playlist"
  if playlist then
    title = ("%s, loop %s, shuffle %s"):format(title, playlist.loop, playlist.shuffle and "on" or "off")
  end
  if title ~= this.title or height ~= this.height then
    this.title, this.height = title, height
    this.surface:place()
  end
end

---@param this lofi.playlist.View
---@param id string?
---@return integer? row from 0
local function row_of(this, id)
  for i, entry in ipairs(id and this.tracks or {}) do
    if entry.track_id == id then
      return i - 1
    end
  end
end

local function draw()
  local this, playlist = view, state.current.playlist
  if not this or not this.surface:is_open() then
    return
  end
  local text = sentence(this, playlist)
  local texts = text and message.wrap(text, frame.width(COLUMNS) - 1)
    or track_lines(this, playlist --[[@as lofi.Playlist]])
  local row = this.surface:row()
  local before = this.tracks[row + 1]
  this.tracks = text and {} or playlist and playlist.tracks or {}
  place(this, #texts, playlist)
  vim.api.nvim_set_option_value("number", text == nil, { win = this.surface:window(), scope = "local" })
  this.rows:write(this.surface, texts)
  -- the cursor stays with its track; at first it is with the one that plays
  local target = before and row_of(this, before.track_id) or not before and playlist and playlist.index
  if target and target ~= this.surface:row() and not text then
    this.rows:keep_in_view(this.surface, target)
  end
end

---@param row integer from 0
---@return lofi.ui.Paint[]
local function paint(row)
  local this, playlist = view, state.current.playlist
  local text = this and this.rows.texts[row + 1]
  if not text then
    return {}
  elseif not this.tracks[row + 1] then
    return { { 0, #text, this.live.problem and "LofiError" or "LofiMuted" } }
  end
  local length = #text:match("%S+$")
  local spans = { { #text - length, #text, "LofiTime" } } ---@type lofi.ui.Paint[]
  if playlist and playlist.index == row then
    table.insert(spans, { 0, #text - length, "LofiPlaying" })
  end
  return spans
end

local function play()
  local entry = view and view.tracks[view.surface:row() + 1]
  if entry then
    require("lofi").play(entry.track_id, view.live:answered())
  end
end

local function remove()
  local first, last = view.surface:range()
  for _, entry in ipairs(vim.list_slice(view.tracks, first + 1, last + 1)) do
    require("lofi").playlist.remove(entry.track_id, view.live:answered())
  end
end

local function clear()
  local count = view and #view.tracks or 0
  if count == 0 then
    words.say("the playlist is empty.")
    return
  end
  words.confirm("Empty the playlist?", "Take out " .. words.tracks(count), "Keep them", function()
    require("lofi").playlist.clear()
  end)
end

local function loop()
  modes.loop(view.live:answered())
end

local function shuffle()
  modes.shuffle(view.live:answered())
end

---@type lofi.ui.Key[]
local keys = {
  { "<CR>", "play", play },
  { { "dd", "x" }, "take out; the track stays in the library", remove, visual = "d" },
  { "C", "take all out", clear },
  { "s", "shuffle on or off", shuffle },
  { "o", "loop off, all, one", loop },
  {
    { "q", "<Esc>" },
    "close",
    function()
      view.surface:close()
    end,
  },
}

local function on_close()
  local this = view
  view = nil
  if this then
    this.live:close()
  end
end

--- Open the window, or go to it.
function M.open()
  local this = {
    rows = rows.new(),
    live = live.new(draw),
    tracks = {},
    lines = {},
    width = 0,
    height = 1,
    title = "lofi playlist",
  } ---@type lofi.playlist.View
  local open, fresh = surface.open({
    name = "playlist",
    keys = keys,
    float = function()
      return frame.corner({ title = this.title, footer = "g? keys", width = COLUMNS, height = this.height })
    end,
    paint = paint,
    on_close = on_close,
  })
  if not fresh then
    this.live:close()
    return
  end
  this.surface, view = open, this
  this.live:on("playlist_changed")
  draw()
  this.live:ask("playlist_get", function(result)
    mirror.apply("playlist_changed", result)
  end)
end

return M
