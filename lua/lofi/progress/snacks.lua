--- snacks.notifier: a notification is replaced by the next of its id.
local message = require("lofi.message")
local words = require("lofi.progress.words")

---@type lofi.progress.Sink
local M = { name = "snacks", needs = "snacks.nvim" }

local count = 0

---@param asked boolean
---@return boolean
function M.ready(asked)
  local snacks = rawget(_G, "Snacks")
  if asked then
    return snacks ~= nil or (pcall(require, "snacks"))
  end
  return snacks ~= nil and snacks.config.notifier.enabled == true
end

---@param id string?
---@param view lofi.progress.View
---@return string
function M.show(id, view)
  if not id then
    count = count + 1
    id = "lofi.progress." .. count
  end
  local keep
  if view.status == "running" then
    keep = false -- no timeout; the end has the user's own
  end
  local text = table.concat(message.wrap(words.body(view), message.corner()), "\n")
  require("snacks").notifier.notify(text, words.level(view), {
    id = id,
    title = "lofi: " .. view.title,
    timeout = keep,
  })
  return id
end

return M
