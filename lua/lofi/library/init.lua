--- :LofiLibrary, a buffer with a track a line. The store knows the tracks, the bin what is deleted until it is closed,
--- the view how all of it stands in the buffer.
local View = require("lofi.library.view")
local bin = require("lofi.library.bin")
local events = require("lofi.events")
local rows = require("lofi.library.rows")
local store = require("lofi.library.store")
local surface = require("lofi.ui.surface")
local ticker = require("lofi.library.ticker")

local M = {}

local view ---@type lofi.library.View? the open one

--- What the store tells.
---@param self lofi.library.View
---@return lofi.library.Listener
local function listener(self)
  return {
    appended = function(entries)
      self:append(entries)
    end,
    replaced = function()
      self:sync()
    end,
    state = function()
      if #self.rows == 0 then
        self:sync()
      else
        self:title()
      end
    end,
  }
end

--- Hear of everything that changes a line.
---@param self lofi.library.View
local function listen(self)
  local function on(names, run)
    for _, name in ipairs(names) do
      table.insert(self.off, events.on(name, run))
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
    bin.keep(params.removed)
    self:sync()
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
    bin.keep(vim.tbl_map(function(track) -- asked for again, and answered from the library
      return track.id
    end, params.tracks))
    self:sync()
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
      self.store:load(#self.rows > 0)
    end
  end)
  on({ "daemon_exited" }, function()
    vim.schedule(function() -- the state forgets first what the daemon was doing
      if view == self and not require("lofi.client").running() then
        self.store:fail(require("lofi.rpc").error("DAEMON_EXITED", "The daemon has stopped."))
        self:show_jobs()
        self:show_playback()
      end
    end)
  end)
end

--- Autocommands of the buffer.
---@param self lofi.library.View
local function watch(self)
  local buffer = self.surface.buffer
  local group = vim.api.nvim_create_augroup("lofi.library", { clear = true })
  vim.bo[buffer].buftype = "acwrite" -- :w deletes for good
  vim.api.nvim_create_autocmd("BufWriteCmd", {
    group = group,
    buffer = buffer,
    callback = function()
      self:carry_out()
      vim.bo[buffer].modified = false
    end,
  })
  vim.api.nvim_create_autocmd("WinScrolled", {
    group = group,
    callback = function(args)
      if
        vim.api.nvim_win_get_buf(tonumber(args.match) --[[@as integer]]) == buffer
      then
        self:freshen_visible()
      end
    end,
  })
  vim.api.nvim_create_autocmd("BufWinEnter", {
    group = group,
    buffer = buffer,
    callback = function()
      self:title()
      self:freshen_visible()
    end,
  })
end

---@param self lofi.library.View
local function close(self)
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
  view = new
  new.surface = surface.open({
    name = "library",
    keys = require("lofi.library.keys")(new),
    paint = function(line)
      return new:paint(line)
    end,
    right = function(line)
      return new:right(line)
    end,
    on_close = function()
      close(new)
    end,
  })
  new.store = store.new(listener(new))
  new.ticker = ticker.new(function()
    new:tick()
  end)
  watch(new)
  listen(new)
  new:show_jobs()
  new:show_playback()
  new.store:load(false)
end

return M
