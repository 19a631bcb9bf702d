--- `i` in the library: all that is known of a track, with its outline and the place where it plays.
local again = require("lofi.library.again")
local bar = require("lofi.ui.bar")
local deeds = require("lofi.library.deeds")
local events = require("lofi.events")
local facts = require("lofi.library.facts")
local frame = require("lofi.ui.frame")
local message = require("lofi.message")
local playback_of = require("lofi.library.rows").playback_of
local rows = require("lofi.ui.rows")
local state = require("lofi.state")
local surface = require("lofi.ui.surface")
local ticker = require("lofi.library.ticker")
local time = require("lofi.time")
local wave = require("lofi.library.wave")

local M = {}

local MAX_WIDTH, LABEL_WIDTH = 84, 15
local SECOND_MS = 1000

---@class lofi.library.Details
---@field surface lofi.ui.Surface
---@field id string
---@field track? lofi.Track
---@field problem? string instead of the track
---@field wave? lofi.ui.Row[]
---@field rows lofi.ui.Rows
---@field height integer lines that there are
---@field ticker lofi.library.Ticker
---@field off (fun())[]
local Details = {}
Details.__index = Details

local open ---@type lofi.library.Details?

---@return integer columns of the text
local function text_width()
  return frame.width(MAX_WIDTH) - 2
end

--- Where it plays: a bar and a clock, at the beginning where it does not.
---@param track lofi.Track
---@return lofi.ui.Row
local function place(track)
  local length = time.clock(track.duration_sec)
  local playback = playback_of(track.id)
  local position = playback and state.position() or 0
  local clock = ("%s / %s"):format(time.clock(position), length)
  local share = position / math.max(track.duration_sec, 0.001)
  local text, done = bar.draw(share, math.max(3, text_width() - #clock - 2))
  return {
    { " " },
    { text:sub(1, done), "LofiBarDone" },
    { text:sub(done + 1), "LofiBarRest" },
    { "  " .. clock, playback == "playing" and "LofiPlaying" or playback and "LofiPaused" or "LofiTime" },
  }
end

--- Its lines from the prompt to the path.
---@param track lofi.Track
---@return lofi.ui.Row[]
function Details:lines(track)
  local lines, width = {}, text_width()
  for _, text in ipairs(message.wrap(track.prompt, width)) do
    table.insert(lines, { { " " .. text, "LofiTitle" } })
  end
  table.insert(lines, {})
  vim.list_extend(lines, self.wave or {})
  for _ = #(self.wave or {}) + 1, wave.HEIGHT do
    table.insert(lines, {}) -- its place is kept, so that nothing jumps when it comes
  end
  vim.list_extend(lines, { place(track), {} })
  for _, fact in ipairs(facts.of(track)) do
    local label = fact[1]
    for _, line in ipairs(vim.split(fact[2], "\n", { plain = true })) do -- lyrics have several
      for _, text in ipairs(message.wrap(line, width - LABEL_WIDTH)) do
        table.insert(lines, { { (" %-" .. LABEL_WIDTH .. "s"):format(label), "LofiLabel" }, { text } })
        label = ""
      end
    end
  end
  return lines
end

--- Write what is another now.
function Details:draw()
  local lines ---@type lofi.ui.Row[]
  if self.track then
    lines = self:lines(self.track)
  else
    local group = self.problem and "LofiError" or "LofiMuted"
    lines = vim.tbl_map(function(text)
      return { { " " .. text, group } }
    end, message.wrap(self.problem or "Asking the daemon.", text_width()))
  end
  local resized = #lines ~= self.height
  self.height = #lines
  if resized then
    self.surface:place()
  end
  self.rows:show(self.surface, lines)
end

function Details:show_playback()
  self.ticker:set(playback_of(self.id) == "playing" and SECOND_MS or nil)
  self:draw()
end

--- Ask for the track, then for its outline.
function Details:ask()
  local id = self.id
  require("lofi").request("cache_get", { track_id = id }, function(err, track)
    if open ~= self or self.id ~= id then
      return
    end
    self.problem, self.track = err and err.message, track
    self:show_playback()
    if track then
      self:ask_wave()
    end
  end)
end

function Details:ask_wave()
  local id = self.id
  require("lofi").request("track_waveform", { track_id = id, columns = text_width() }, function(err, outline)
    if open ~= self or self.id ~= id then
      return
    end
    self.wave = outline and wave.draw(outline) or { { { " " .. err.message, "LofiError" } } }
    self:draw()
  end)
end

---@param self lofi.library.Details
---@return lofi.ui.Key[]
local function keys(self)
  --- Nothing can be done before the track is known.
  local function with(run)
    return function()
      if self.track then
        run(self.track)
      end
    end
  end
  --- The command line, and what is said there, belong to the window below.
  local function after_closing(run)
    return with(function(track)
      self.surface:close()
      run(track)
    end)
  end
  return {
    {
      "<CR>",
      "play",
      with(function(track)
        deeds.play(track.id, track.prompt)
      end),
    },
    {
      "p",
      "pause, or go on",
      function()
        require("lofi").toggle()
      end,
    },
    {
      "f",
      "favourite, or no longer",
      with(function(track)
        deeds.favorite({ track.id }, not track.favorite)
      end),
    },
    {
      "y",
      "yank the path",
      with(function(track)
        deeds.yank({ track.path }, vim.v.register)
      end),
    },
    { "r", "its parameters on the command line, to change them", after_closing(again.restore) },
    { "v", "variation: the same with a new seed", after_closing(again.vary) },
    { "t", "take it up again from its latent", after_closing(again.resume) },
    {
      "S",
      "in the studio, as one stage",
      after_closing(function(track)
        require("lofi.studio.send").restore(track.id)
      end),
    },
    {
      "L",
      "lineage",
      after_closing(function(track)
        require("lofi.lineage").open(track.id)
      end),
    },
    {
      { "q", "<Esc>" },
      "close",
      function()
        self.surface:close()
      end,
    },
  }
end

function Details:listen()
  local function on(name, listener)
    table.insert(self.off, events.on(name, listener))
  end
  for _, name in ipairs({ "started", "paused", "resumed", "ended", "seeked" }) do
    on("playback_" .. name, function()
      self:show_playback()
    end)
  end
  on("library_changed", function(params)
    for _, track in ipairs(params.changed) do
      if track.id == self.id then
        self.track = track
        self:draw()
      end
    end
    if vim.list_contains(params.removed, self.id) then
      self.track, self.problem = nil, "The track was deleted."
      self:draw()
    end
  end)
  local group = vim.api.nvim_create_augroup("lofi.library.details", { clear = true })
  vim.api.nvim_create_autocmd("VimResized", {
    group = group,
    callback = function()
      self:draw()
      if self.track then
        self:ask_wave() -- it has a character for each column
      end
    end,
  })
end

function Details:close()
  open = nil
  vim.api.nvim_create_augroup("lofi.library.details", { clear = true })
  self.ticker:close()
  for _, off in ipairs(self.off) do
    off()
  end
end

--- Show a track in a window of its own.
---@param id string
function M.open(id)
  if not open then
    local new = setmetatable({ id = id, rows = rows.new(), height = 1, off = {} }, Details)
    open = new
    new.ticker = ticker.new(function()
      if new.surface:visible() then
        new:draw()
      end
    end)
    new.surface = surface.open({
      name = "track",
      keys = keys(new),
      float = function()
        return frame.centre({ title = "track", width = MAX_WIDTH, height = new.height })
      end,
      paint = function(row)
        return new.rows:paint(row)
      end,
      on_close = function()
        new:close()
      end,
    })
    vim.api.nvim_set_option_value("cursorline", false, { win = new.surface:window(), scope = "local" })
    new:listen()
  else
    surface.open(open.surface.opts)
  end
  open.id, open.track, open.wave, open.problem = id, nil, nil, nil
  open:draw()
  open:ask()
end

return M
