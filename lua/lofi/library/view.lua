--- What the buffer shows: the jobs that are on their way, then the tracks, a line each.
local bin = require("lofi.library.bin")
local rows = require("lofi.library.rows")
local state = require("lofi.state")
local time = require("lofi.time")
local words = require("lofi.command.words")

local SECOND_MS, AGES_MS = 1000, 30000

---@class lofi.library.View
---@field surface lofi.ui.Surface
---@field store lofi.library.Store
---@field look lofi.library.Look
---@field jobs lofi.Job[] a line each, above the tracks
---@field rows lofi.library.Entry[] the tracks that have a line
---@field filler integer lines that stand in for tracks, where there are none
---@field marked string? the track whose line says that it plays
---@field ticker lofi.library.Ticker
---@field off (fun())[] listeners, to be ended
local View = {}
View.__index = View

--- The orders of `s`, as the wire and as people call them.
---@type string[][]
View.SORTS = {
  { "newest", "newest first" },
  { "oldest", "oldest first" },
  { "title", "by title" },
  { "duration", "shortest first" },
  { "played", "last heard first" },
  { "favorites", "favourites first" },
}

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
  local order = vim.iter(View.SORTS):find(function(sort)
    return sort[1] == self.store.sort
  end)[2]
  local parts = { words.tracks(self.store.total - bin.count()) .. ", " .. order }
  if self.store.loading and self.store.total > 0 then
    table.insert(parts, ("%d are here"):format(#self.store.loading.list))
  elseif self.store.problem and #self.rows > 0 then
    table.insert(parts, "out of date, R asks again")
  end
  if bin.count() > 0 then
    table.insert(parts, ("%d deleted: u brings back, closing is for good"):format(bin.count()))
  end
  if bin.count() == 0 then -- there is no room for both
    table.insert(parts, "%<g? lists the keys") -- the end may be cut
  end
  local dot = require("lofi.config").current.ascii and " - " or " · "
  local text = " " .. table.concat(parts, dot)
  for _, window in ipairs(vim.fn.win_findbuf(self.surface.buffer)) do
    vim.api.nvim_set_option_value("winbar", text, { win = window, scope = "local" })
  end
end

--- Each window's place, by the track of its cursor's line.
---@return table<integer, { id: string?, view: vim.fn.winsaveview.ret }>
function View:places()
  local places = {}
  for _, window in ipairs(vim.fn.win_findbuf(self.surface.buffer)) do
    local there = vim.api.nvim_win_call(window, vim.fn.winsaveview)
    local entry = self:entry(there.lnum - 1)
    places[window] = { id = entry and entry.id, view = there }
  end
  return places
end

---@param places table<integer, { id: string?, view: vim.fn.winsaveview.ret }>
function View:go_back(places)
  for window, was in pairs(places) do
    local line = self:line(was.id)
    if line then
      if was.view.topline > 1 then -- at the top, what comes is to be seen
        was.view.topline = math.max(1, was.view.topline + line + 1 - was.view.lnum)
      end
      was.view.lnum = line + 1
    end
    vim.api.nvim_win_call(window, function()
      vim.fn.winrestview(was.view)
    end)
  end
end

--- Make the lines those of the store's tracks. Only what lies between the first and the last track that moved is
--- written; each window stays at its track.
function View:sync()
  local old, places = self.rows, self:places()
  local new = vim.tbl_filter(function(entry)
    return not bin.has(entry.id)
  end, self.store.listing.list)
  self.rows = new
  local first, last, old_last = 1, #new, #old
  while first <= last and first <= old_last and new[first].id == old[first].id do
    first = first + 1
  end
  while last >= first and old_last >= first and new[last].id == old[old_last].id do
    last, old_last = last - 1, old_last - 1
  end
  local lines = {}
  for i = first, last do
    lines[#lines + 1] = self:text(new[i])
  end
  local head = #self.jobs
  if #new == 0 then
    lines, old_last = self:filler_lines(), #old
  end
  self.surface:set(head + first - 1, head + old_last + self.filler, lines)
  self.filler = #new == 0 and #lines or 0
  self:go_back(places)
  self:freshen_visible()
  self:title()
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

--- The clock of what plays, moved on where it can be seen, and the ages.
function View:tick()
  local first, last = self.surface:visible()
  if not first then
    return
  end
  local line = state.current.playback.state == "playing" and self:line(state.current.playback.track_id)
  if line and line >= first and line <= last then
    self.surface:repaint(line, line + 1)
  end
  self:freshen(first, last --[[@as integer]])
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
  bin.put(vim.tbl_map(function(entry)
    return entry.id
  end, entries))
  self:sync()
end

--- What was deleted last comes back, and the cursor goes there.
function View:undo()
  local ids = bin.take_back()
  if not ids then
    require("lofi.message").say("nothing to bring back")
    return
  end
  self:sync()
  local line, window = self:line(ids[1]), self.surface:window()
  if line and window then
    vim.api.nvim_win_set_cursor(window, { line + 1, 0 })
  end
end

--- Delete for good.
function View:carry_out()
  bin.carry_out(function()
    if self.surface:is_open() then
      self:sync()
    end
  end)
  self:sync()
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

return View
