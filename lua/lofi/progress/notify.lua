--- nvim-notify, or noice in front of it: a notification that takes the place of the one before.
local message = require("lofi.message")
local words = require("lofi.progress.words")

---@class lofi.progress.Notification
---@field record? table what vim.notify() answered last
---@field closed? boolean the user has closed it, and only the end may come back

---@type lofi.progress.Sink
local M = { name = "notify", needs = "nvim-notify" }

local LAST_MS = 5000 -- nvim-notify's own default; `false` would be taken over from the entry that is replaced

--- noice took vim.notify() over. It hands what it is given to nvim-notify, whose records it stands in for.
---@return boolean
local function through_noice()
  local noice = package.loaded["noice.source.notify"]
  return noice ~= nil and vim.notify == noice.notify
end

---@param asked boolean
---@return boolean
function M.ready(asked)
  if asked or through_noice() then
    return (pcall(require, "notify"))
  end
  local notify = package.loaded["notify"]
  return type(notify) == "table" and (vim.notify == notify or vim.notify == notify.notify)
end

---@param entry lofi.progress.Notification?
---@param view lofi.progress.View
---@return lofi.progress.Notification
function M.show(entry, view)
  entry = entry or {}
  local running = view.status == "running"
  if entry.closed and running then
    return entry
  end
  local send = through_noice() and vim.notify or require("notify").notify
  local timeout = LAST_MS ---@type integer|false
  if running then
    timeout = false
  end
  -- its windows are not wider than the screen
  local text = table.concat(message.wrap(words.body(view), message.corner()), "\n")
  local record = send(text, words.level(view), {
    title = "lofi: " .. view.title,
    replace = not entry.closed and entry.record or nil,
    timeout = timeout,
    hide_from_history = running,
    on_close = function()
      entry.closed = true
    end,
  })
  if type(record) ~= "table" or record.id == nil then
    error("vim.notify() gave no record to replace")
  end
  entry.record = record
  return entry
end

return M
