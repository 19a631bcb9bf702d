--- `i` in the library: all that is known of a track, with its outline and the place where it plays.
local again = require("lofi.library.again")
local bar = require("lofi.ui.bar")
local config = require("lofi.config")
local deeds = require("lofi.library.deeds")
local events = require("lofi.events")
local request = require("lofi.request")
local rows = require("lofi.library.rows")
local state = require("lofi.state")
local surface = require("lofi.ui.surface")
local ticker = require("lofi.library.ticker")
local time = require("lofi.time")
local wave = require("lofi.library.wave")

local M = {}

local MAX_WIDTH, LABEL_WIDTH = 84, 13
local SECOND_MS = 1000

---@class lofi.library.Details
---@field surface lofi.ui.Surface
---@field id string
---@field track? lofi.Track
---@field problem? string instead of the track
---@field wave? string[] its lines
---@field wave_paint? lofi.ui.Paint[][] their colours
---@field paints table<integer, lofi.ui.Paint[]> by line, from 0
---@field place? integer the line of the clock, from 0
---@field lines string[]
---@field ticker lofi.library.Ticker
---@field off (fun())[]
local Details = {}
Details.__index = Details

local open ---@type lofi.library.Details?

---@return integer columns of the text
local function text_width()
  return math.max(20, math.min(MAX_WIDTH, vim.o.columns - 6))
end

--- `text` in lines of at most `width` columns, broken at blanks where there are some.
---@param text string
---@param width integer
---@return string[]
local function wrap(text, width)
  local lines, line = {}, ""
  local function push(piece)
    local joined = line == "" and piece or line .. " " .. piece
    if vim.fn.strdisplaywidth(joined) <= width then
      line = joined
      return
    end
    if line ~= "" then
      table.insert(lines, line)
    end
    line = ""
    for _, char in ipairs(vim.fn.split(piece, "\\zs")) do -- a path, or a language without blanks
      if vim.fn.strdisplaywidth(line .. char) > width then
        table.insert(lines, line)
        line = ""
      end
      line = line .. char
    end
  end
  for piece in text:gmatch("[^%s%c]+") do
    push(piece)
  end
  table.insert(lines, line)
  return lines
end

---@param value any
---@return string
local function shown(value)
  if type(value) == "table" then
    return (vim.inspect(value, { newline = " ", indent = "" }):gsub("%s+", " "))
  elseif type(value) == "number" then
    return ("%.15g"):format(value)
  end
  return tostring(value)
end

local SHOWN_ALREADY = { prompt = true, duration_sec = true, seed = true, backend = true, stage_type = true }

--- The parameters that have no line of their own: first in the order of the help, then the rest.
---@param track lofi.Track
---@return string[][] label and value
local function parameters(track)
  local pairs_, seen = {}, vim.deepcopy(SHOWN_ALREADY)
  local function add(name, label)
    if track.params[name] ~= nil and not seen[name] then
      table.insert(pairs_, { label, shown(track.params[name]) })
    end
    seen[name] = true
  end
  for _, entry in ipairs(request.schema) do
    add(entry.name, entry.alias and entry.alias[1] or entry.name)
  end
  local others = vim.tbl_keys(track.params)
  table.sort(others)
  for _, name in ipairs(others) do
    add(name, name)
  end
  return pairs_
end

--- What the backend chose where the request left it open.
---@param track lofi.Track
---@return string[][]
local function chosen(track)
  local found = {}
  for _, name in ipairs({ "style", "bpm", "keyscale", "timesignature" }) do
    local value = (track.lm_metadata or {})[name]
    if value ~= nil and track.params[name] == nil then
      table.insert(found, { name == "keyscale" and "key" or name, shown(value) })
    end
  end
  return found
end

---@param iso string
---@return string
local function when(iso)
  return (iso:gsub("T", " "):gsub(":%d+%.?%d*Z$", " UTC"))
end

--- Label and value of each line below the outline.
---@param track lofi.Track
---@return string[][]
local function facts(track)
  local sound = ("%s, %d Hz, %d channel%s"):format(
    time.clock(track.duration_sec),
    track.sample_rate,
    track.channels,
    track.channels == 1 and "" or "s"
  )
  local list = {
    { "backend", ("%s, %s"):format(track.backend, track.model_version) },
    { "length", sound },
    { "loudness", track.lufs and ("%.1f LUFS"):format(track.lufs) or "not measured" },
    { "seed", shown(track.seed) },
  }
  vim.list_extend(list, parameters(track))
  vim.list_extend(list, chosen(track))
  vim.list_extend(list, {
    { "made", ("%s, in %.1f s"):format(when(track.created_at), track.generation_time_sec) },
    { "favourite", track.favorite and "yes" or "no" },
  })
  if #track.parent_ids > 0 then
    table.insert(list, { "made from", table.concat(track.parent_ids, " ") })
  end
  if track.latent_id then
    table.insert(list, { "latent", track.latent_id })
  end
  vim.list_extend(list, { { "id", track.id }, { "path", track.path } })
  return list
end

--- Where it plays: a bar and a clock; only the length where it does not.
---@param track lofi.Track
---@return string text, lofi.ui.Paint[] paint
local function place(track)
  local width = text_width() - 2
  local length = time.clock(track.duration_sec)
  local playback = rows.playback_of(track.id)
  if not playback then
    return " " .. length, { { 0, 100, "LofiTime" } }
  end
  local position = state.position()
  local clock = ("%s / %s"):format(time.clock(position), length)
  local text, done = bar.draw(position / math.max(track.duration_sec, 0.001), math.max(3, width - #clock - 2))
  local line = (" %s  %s"):format(text, clock)
  return line,
    {
      { 1, 1 + done, "LofiBarDone" },
      { 1 + done, 1 + #text, "LofiBarRest" },
      { 3 + #text, #line, playback == "playing" and "LofiPlaying" or "LofiPaused" },
    }
end

--- Write everything anew.
function Details:draw()
  local track, width = self.track, text_width()
  self.lines, self.paints, self.place = {}, {}, nil
  local function add(text, paint)
    table.insert(self.lines, text)
    self.paints[#self.lines - 1] = paint
  end
  if not track then
    for _, text in ipairs(wrap(self.problem or "Asking the daemon.", width - 2)) do
      add(" " .. text, { { 0, 1000, self.problem and "LofiError" or "LofiMuted" } })
    end
  else
    for _, text in ipairs(wrap(track.prompt, width - 2)) do
      add(" " .. text, { { 0, 1000, "LofiTitle" } })
    end
    add("")
    for i = 1, wave.HEIGHT do
      local paint = self.wave
        and vim.tbl_map(function(span)
          return { span[1] + 1, span[2] + 1, span[3] }
        end, self.wave_paint[i])
      add(" " .. (self.wave and self.wave[i] or ""), paint)
    end
    self.place = #self.lines
    add(place(track))
    add("")
    for _, fact in ipairs(facts(track)) do
      local label = fact[1]
      for _, text in ipairs(wrap(fact[2], width - LABEL_WIDTH - 3)) do
        add((" %-" .. LABEL_WIDTH .. "s %s"):format(label, text), { { 0, LABEL_WIDTH + 1, "LofiLabel" } })
        label = ""
      end
    end
  end
  self.surface:set(0, -1, self.lines)
  self.surface:place()
end

--- The clock moved on.
function Details:move()
  if self.track and self.place and self.surface:visible() then
    local text, paint = place(self.track)
    self.paints[self.place] = paint
    self.surface:set(self.place, self.place + 1, { text })
  end
end

function Details:show_playback()
  self.ticker:set(rows.playback_of(self.id) == "playing" and SECOND_MS or nil)
  self:move()
end

--- Ask for the track, then for its outline.
function Details:ask()
  local id = self.id
  require("lofi").request("cache_get", { track_id = id }, function(err, track)
    if open ~= self or self.id ~= id then
      return
    end
    self.problem, self.track = err and err.message, track
    self:draw()
    self:show_playback()
    if track then
      self:ask_wave()
    end
  end)
end

function Details:ask_wave()
  local id = self.id
  local params = { track_id = id, columns = text_width() - 2 }
  require("lofi").request("track_waveform", params, function(err, waveform)
    if open ~= self or self.id ~= id then
      return
    elseif err then
      self.wave, self.wave_paint = { err.message }, {}
    else
      self.wave, self.wave_paint = wave.draw(waveform)
    end
    self:draw()
  end)
end

---@return vim.api.keyset.win_config
function Details:config()
  local width = text_width()
  local height = math.max(1, math.min(#self.lines, vim.o.lines - 5))
  return {
    relative = "editor",
    row = math.max(0, math.floor((vim.o.lines - height) / 2) - 2),
    col = math.max(0, math.floor((vim.o.columns - width) / 2) - 1),
    width = width,
    height = height,
    border = config.current.ascii and { "+", "-", "+", "|", "+", "-", "+", "|" } or "rounded",
    title = " track ",
  }
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
    local new = setmetatable({ id = id, lines = { "" }, paints = {}, off = {} }, Details)
    open = new
    new.ticker = ticker.new(function()
      new:move()
    end)
    new.surface = surface.open({
      name = "track",
      keys = keys(new),
      float = function()
        return new:config()
      end,
      paint = function(line)
        return new.paints[line] or {}
      end,
      on_close = function()
        new:close()
      end,
    })
    new:listen()
  else
    surface.open(open.surface.opts)
  end
  open.id, open.track, open.wave, open.problem = id, nil, nil, nil
  open:draw()
  open:ask()
end

return M
