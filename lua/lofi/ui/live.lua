--- What keeps a window true while it is open: it hears events, asks the daemon, and is drawn once for all that
--- happens at a time. After its end nothing reaches it any more.
local events = require("lofi.events")
local words = require("lofi.command.words")

local M = {}

local GONE = "The daemon has ended; the next command starts it again."

---@class lofi.ui.Live
---@field problem? string why the daemon cannot be asked; to be shown in place of what it would say
---@field private draw fun()
---@field private offs (fun())[]
---@field private closed boolean
---@field private draw_due boolean
---@field private asking boolean a question is on its way
---@field private ask_again boolean something happened since it was asked
local Live = {}
Live.__index = Live

---@param draw fun() called on the main loop, never after `close`
---@return lofi.ui.Live
function M.new(draw)
  local self = setmetatable({
    draw = draw,
    offs = {},
    closed = false,
    draw_due = false,
    asking = false,
    ask_again = false,
  }, Live)
  local resized = vim.api.nvim_create_autocmd("VimResized", {
    callback = function()
      self:draw_soon()
    end,
  })
  table.insert(self.offs, function()
    vim.api.nvim_del_autocmd(resized)
  end)
  self:on("daemon_exited", function()
    self.problem = GONE
  end)
  return self
end

function Live:draw_soon()
  if self.draw_due then
    return
  end
  self.draw_due = true
  vim.schedule(function()
    self.draw_due = false
    if not self.closed then
      self.draw()
    end
  end)
end

--- Draw after that event, and let `listener` hear it before.
---@param event string
---@param listener? fun(params: table)
function Live:on(event, listener)
  table.insert(
    self.offs,
    events.on(event, function(params)
      if listener then
        listener(params)
      end
      self:draw_soon()
    end)
  )
end

--- A callback that draws when `told` has heard the result. An error is said, or shown in the window where it means
--- that there is no daemon.
---@param told? fun(result: table)
---@return lofi.rpc.Callback
function Live:answered(told)
  return function(err, result)
    if self.closed then
      return
    elseif not err then
      self.problem = nil
      if told then
        told(result)
      end
    elseif not err.code:find("^DAEMON_") then
      words.complain(err)
    elseif err.code ~= "DAEMON_EXITED" then -- that is told by its event
      self.problem = err.message
    end
    self:draw_soon()
  end
end

--- Ask the same question again and again, one at a time: what happens while it is on its way asks once more.
---@param method string
---@param told fun(result: table)
function Live:ask(method, told)
  if self.asking then
    self.ask_again = true
    return
  end
  self.asking, self.ask_again = true, false
  local take = self:answered(told)
  require("lofi").request(method, nil, function(err, result)
    self.asking = false
    take(err, result)
    if self.ask_again and not err and not self.closed then
      self:ask(method, told)
    end
  end)
end

function Live:close()
  self.closed = true
  for _, off in ipairs(self.offs) do
    off()
  end
end

return M
