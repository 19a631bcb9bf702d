--- :LofiLibrary, a buffer with a track a line. Its lines are the jobs that are on their way, then the tracks; the
--- store knows the tracks, the bin what is deleted until it is closed, rows how a line looks.
local bin = require("lofi.library.bin")
local events = require("lofi.events")
local rows = require("lofi.library.rows")
local state = require("lofi.state")
local store = require("lofi.library.store")
local surface = require("lofi.ui.surface")
local ticker = require("lofi.library.ticker")
local time = require("lofi.time")

local M = {}

local SECOND_MS, AGES_MS = 1000, 30000

--- The orders of `s`, as the wire and as people call them.
---@type string[][]
M.SORTS = {
  { "newest", "newest first" },
  { "oldest", "oldest first" },
  { "title", "by title" },
  { "duration", "shortest first" },
  { "played", "last heard first" },
  { "favorites", "favourites first" },
}

---@class lofi.library.View
---@field surface lofi.ui.Surface
---@field store lofi.library.Store
---@field look lofi.library.Look
---@field jobs lofi.Job[] a line each, above the tracks
---@field rows lofi.library.Entry[] the tracks that have a line
---@field filler integer lines below the jobs where there are no tracks
---@field marked string? the track whose line says that it plays
---@field ticker lofi.library.Ticker
---@field off (fun())[] listeners, to be ended
local View = {}
View.__index = View

local view ---@type lofi.library.View? the open one

---@param entry lofi.library.Entry
---@return string
function View:text(entry)
  return rows.text(entry, self.look, os.time())
end

--- The track of a line.
---@param line integer from 0
---@return lofi.library.Entry?
function View:entry(line)
  return self.rows[line - #self.jobs + 1]
end

--- The line of a track.
---@param id string?
---@return integer? line from 0
function View:line(id)
  for i, entry in ipairs(id and self.rows or {}) do
    if entry.id == id then
      return #self.jobs + i - 1
    end
  end
end

--- What stands where there are no tracks.
---@return string[]
function View:filler_lines()
  if self.store.problem then
    return { "The library cannot be shown. " .. self.store.problem.message, "R asks again." }
  elseif self.store.loading then
    return { "Asking the daemon." }
  elseif bin.count() > 0 then
    return { "Nothing is left. u brings back what was deleted; closing this deletes it for good." }
  end
  return {
    "The library is empty. This makes the first track:",
    "",
    "    :LofiGenerate rainy night, mellow rhodes",
  }
end

--- Bring the lines that stand for no track up to date.
function View:fill()
  local lines = #self.rows == 0 and self:filler_lines() or {}
  if #lines > 0 or self.filler > 0 then
    self.surface:set(#self.jobs, #self.jobs + self.filler, lines)
    self.filler = #lines
  end
end

--- Write the lines of tracks again whose text is another now.
---@param first integer from 0
---@param last integer included
function View:freshen(first, last)
  local have = vim.api.nvim_buf_get_lines(self.surface.buffer, first, last + 1, false)
  for i, text in ipairs(have) do
    local entry = self:entry(first + i - 1)
    local wanted = entry and self:text(entry)
    if wanted and wanted ~= text then
      self.surface:set(first + i - 1, first + i, { wanted })
    end
  end
end

--- Ages go by, and marks move; lines that nobody sees may be behind.
function View:freshen_visible()
  local first, last = self.surface:visible()
  if first then
    self:freshen(first, last --[[@as integer]])
  end
end

--- The line above the window: how many tracks, in which order, and what is pending.
function View:title()
  local order = vim.iter(M.SORTS):find(function(sort)
    return sort[1] == self.store.sort
  end)[2]
  local parts = { ("%d tracks, %s"):format(self.store.total - bin.count(), order) }
  if self.store.loading and self.store.total > 0 then
    table.insert(parts, ("%d are here"):format(#self.store.loading.list))
  elseif self.store.problem and #self.rows > 0 then
    table.insert(parts, "out of date, R asks again")
  end
  if bin.count() > 0 then
    table.insert(parts, ("%d deleted: u brings back, :w or closing deletes for good"):format(bin.count()))
  end
  table.insert(parts, "g? lists the keys")
  local text = " " .. table.concat(parts, " · ")
  if require("lofi.config").current.ascii then
    text = text:gsub("·", "-")
  end
  for _, window in ipairs(vim.fn.win_findbuf(self.surface.buffer)) do
    vim.api.nvim_set_option_value("winbar", (text:gsub("%%", "%%%%")), { win = window, scope = "local" })
  end
end

--- Show the tracks of the store anew; each window stays at the track it was at.
function View:rebuild()
  local at = {} ---@type table<integer, { id: string?, view: vim.fn.winsaveview.ret }>
  for _, window in ipairs(vim.fn.win_findbuf(self.surface.buffer)) do
    local there = vim.api.nvim_win_call(window, vim.fn.winsaveview)
    local entry = self:entry(there.lnum - 1)
    at[window] = { id = entry and entry.id, view = there }
  end
  local before = #self.jobs + self.filler + #self.rows
  self.rows = vim.tbl_filter(function(entry)
    return not bin.has(entry.id)
  end, self.store.listing.list)
  local lines = vim.iter(self.rows):map(function(entry)
    return self:text(entry)
  end)
  self.filler = 0
  if #self.rows > 0 then
    self.surface:set(#self.jobs, before, lines:totable())
  else
    local filler = self:filler_lines()
    self.surface:set(#self.jobs, before, filler)
    self.filler = #filler
  end
  for window, was in pairs(at) do
    local line = self:line(was.id)
    if line then
      was.view.topline = math.max(1, was.view.topline + line + 1 - was.view.lnum)
      was.view.lnum = line + 1
    end
    vim.api.nvim_win_call(window, function()
      vim.fn.winrestview(was.view)
    end)
  end
end

--- Put tracks below those that are there.
---@param entries lofi.library.Entry[]
function View:append(entries)
  local lines, first = {}, #self.jobs + #self.rows
  for _, entry in ipairs(entries) do
    if not bin.has(entry.id) then
      self.rows[#self.rows + 1] = entry
      lines[#lines + 1] = self:text(entry)
    end
  end
  if #lines > 0 then
    self.surface:set(first, first + self.filler, lines)
    self.filler = 0
  end
end

--- Give a track of the store its line.
---@param entry lofi.library.Entry
function View:insert(entry)
  local at = 1
  for _, other in ipairs(self.store.listing.list) do
    if other == entry then
      break
    elseif not bin.has(other.id) then
      at = at + 1
    end
  end
  table.insert(self.rows, at, entry)
  local line = #self.jobs + at - 1
  self.surface:set(line, line + self.filler, { self:text(entry) })
  self.filler = 0
end

--- Take the lines of tracks away.
---@param ids table<string, true>
function View:remove(ids)
  for i = #self.rows, 1, -1 do
    if ids[self.rows[i].id] then
      table.remove(self.rows, i)
      local line = #self.jobs + i - 1
      if #self.rows == 0 then
        self.filler = 1 -- a buffer is never without a line
      end
      self.surface:set(line, line + 1, self.filler == 1 and { "" } or {})
    end
  end
  self:fill()
end

--- The jobs that run or wait, above the tracks.
function View:show_jobs()
  local before = #self.jobs
  self.jobs = vim.list_slice(state.current.jobs)
  local lines = vim.iter(self.jobs):map(function(job)
    return rows.job_text(job, self.look)
  end)
  if before > 0 or #self.jobs > 0 then
    self.surface:set(0, before, lines:totable())
  end
end

--- What plays is another track or in another state.
function View:show_playback()
  local now = state.current.playback
  for _, id in ipairs({ self.marked or "", now.track_id }) do
    local line = self:line(id)
    if line then
      self:freshen(line, line)
      self.surface:repaint(line, line + 1)
    end
  end
  self.marked = now.track_id
  self.ticker:set(now.state == "playing" and SECOND_MS or AGES_MS)
end

--- The clock of what plays, moved on where it can be seen.
function View:tick()
  local first, last = self.surface:visible()
  if not first then
    return
  end
  local line = state.current.playback.state == "playing" and self:line(state.current.playback.track_id)
  if line and line >= first and line <= last then
    self.surface:repaint(line, line + 1)
  end
  if os.time() % 60 == 0 or not line then
    self:freshen(first, last --[[@as integer]])
  end
end

--- What stands at the right edge of a line.
---@param line integer
---@return string[][]?
function View:right(line)
  local entry = self:entry(line)
  if entry and rows.playback_of(entry.id) then
    local place = (" %s / %s "):format(time.clock(state.position()), time.clock(entry.duration_sec))
    return { { place, "LofiTime" } }
  end
end

---@param line integer
---@return lofi.ui.Paint[]
function View:paint(line)
  local entry = self:entry(line)
  if entry then
    return rows.paint(entry, self.look, os.time())
  end
  local text = self.jobs[line + 1] and "LofiGenerating" or "LofiMuted"
  return { { 0, 1000, text } }
end

--- The tracks a key is meant for.
---@return lofi.library.Entry[]
function View:selected()
  local first, last = self.surface:range()
  local entries = {}
  for line = first, last do
    entries[#entries + 1] = self:entry(line)
  end
  if #entries == 0 and self.jobs[first + 1] then
    require("lofi.message").say("it is still being made; :LofiCancel ends that.")
  end
  return entries
end

---@param entries lofi.library.Entry[]
function View:delete(entries)
  local ids, set = {}, {}
  for _, entry in ipairs(entries) do
    ids[#ids + 1], set[entry.id] = entry.id, true
  end
  if #ids > 0 then
    bin.put(ids)
    self:remove(set)
    self:title()
  end
end

--- Show tracks again that were deleted.
---@param ids string[]
function View:bring_back(ids)
  for _, id in ipairs(ids) do
    local entry = self.store.listing.by_id[id]
    if entry then
      self:insert(entry)
    end
  end
  self:title()
end

--- What was deleted last comes back, and the cursor goes there.
function View:undo()
  local ids = bin.take_back()
  if not ids then
    require("lofi.message").say("nothing to bring back")
    return
  end
  self:bring_back(ids)
  local line, window = self:line(ids[1]), self.surface:window()
  if line and window then
    vim.api.nvim_win_set_cursor(window, { line + 1, 0 })
  end
end

function View:carry_out()
  bin.carry_out(function(ids)
    if view == self then
      self:bring_back(ids)
    end
  end)
  self:title()
end

---@param sort string
function View:resort(sort)
  self.store.sort = sort
  self.store:load(false)
end

function View:refresh()
  self.look = rows.look()
  self.store:load(#self.rows > 0)
end

--- What the store tells, turned into lines.
---@return lofi.library.Listener
function View:listener()
  return {
    appended = function(entries)
      self:append(entries)
    end,
    replaced = function()
      self:rebuild()
    end,
    inserted = function(entry)
      if not bin.has(entry.id) then
        self:insert(entry)
      end
    end,
    changed = function(entry)
      local line = self:line(entry.id)
      if line then
        self:freshen(line, line)
      end
    end,
    removed = function(entry)
      bin.keep({ entry.id })
      self:remove({ [entry.id] = true })
    end,
    state = function()
      self:fill()
      self:title()
    end,
  }
end

--- Hear of everything that changes a line.
function View:listen()
  local function on(names, listener)
    for _, name in ipairs(names) do
      table.insert(self.off, events.on(name, listener))
    end
  end
  on({ "library_changed" }, function(params)
    if params.reset then
      self.store:load(true)
      return
    end
    for _, track in ipairs(params.changed) do
      self.store:put(track)
    end
    for _, id in ipairs(params.removed) do
      self.store:drop(id)
    end
    self:fill()
    self:title()
  end)
  on({
    "generation_started",
    "generation_progress",
    "generation_complete",
    "generation_error",
    "generation_cancelled",
    "queue_changed",
  }, function()
    self:show_jobs()
  end)
  on({ "generation_complete" }, function(params)
    for _, track in ipairs(params.tracks) do
      if bin.has(track.id) then -- asked for again, from the library
        bin.keep({ track.id })
        self:bring_back({ track.id })
      end
    end
  end)
  on({
    "playback_started",
    "playback_paused",
    "playback_resumed",
    "playback_ended",
    "playback_seeked",
  }, function()
    self:show_playback()
  end)
  on({ "daemon_joined" }, function()
    self:show_jobs()
    self:show_playback()
    if not self.store.loading then
      self.store:load(true)
    end
  end)
  on({ "daemon_exited" }, function()
    vim.schedule(function() -- first the rooms below forget what it was doing
      if view == self then
        self.store:stop()
        self.store.problem = require("lofi.rpc").error("DAEMON_EXITED", "The daemon has stopped.")
        self:show_jobs()
        self:show_playback()
        self:fill()
        self:title()
      end
    end)
  end)
end

--- Autocommands of the buffer.
function View:watch()
  local group = vim.api.nvim_create_augroup("lofi.library", { clear = true })
  vim.bo[self.surface.buffer].buftype = "acwrite" -- :w deletes for good what is deleted
  vim.api.nvim_create_autocmd("BufWriteCmd", {
    group = group,
    buffer = self.surface.buffer,
    callback = function()
      self:carry_out()
      vim.bo[self.surface.buffer].modified = false
    end,
  })
  vim.api.nvim_create_autocmd("WinScrolled", {
    group = group,
    callback = function(args)
      if
        vim.api.nvim_win_get_buf(tonumber(args.match) --[[@as integer]]) == self.surface.buffer
      then
        self:freshen_visible()
      end
    end,
  })
  vim.api.nvim_create_autocmd("BufWinEnter", {
    group = group,
    buffer = self.surface.buffer,
    callback = function()
      self:title()
      self:freshen_visible()
    end,
  })
end

function View:close()
  view = nil
  vim.api.nvim_create_augroup("lofi.library", { clear = true })
  self.ticker:close()
  self.store:stop()
  for _, off in ipairs(self.off) do
    off()
  end
  bin.carry_out(function() end)
end

events.on("editor_leaves", bin.leave)

--- Open the library, or go to it.
function M.open()
  if view then
    surface.open(view.surface.opts)
    return
  end
  local new = setmetatable({ jobs = {}, rows = {}, filler = 1, off = {}, look = rows.look() }, View)
  local opts = {
    name = "library",
    keys = require("lofi.library.keys")(new),
    paint = function(line)
      return new:paint(line)
    end,
    right = function(line)
      return new:right(line)
    end,
    on_close = function()
      new:close()
    end,
  }
  view = new
  new.surface = surface.open(opts)
  new.store = store.new(new:listener())
  new.ticker = ticker.new(function()
    new:tick()
  end)
  new:watch()
  new:listen()
  new:show_jobs()
  new:show_playback()
  new.store:load(false)
end

return M
