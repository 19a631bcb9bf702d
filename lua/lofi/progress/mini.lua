--- mini.notify: a notification that is updated until it is removed.
local words = require("lofi.progress.words")

---@type lofi.progress.Sink
local M = { name = "mini", needs = "mini.notify" }

local LAST_MS = 5000 -- as MiniNotify.make_notify() keeps a message

---@param asked boolean
---@return boolean
function M.ready(asked)
  return rawget(_G, "MiniNotify") ~= nil or asked and (pcall(require, "mini.notify"))
end

---@param view lofi.progress.View
---@return string
local function text(view)
  if view.status == "running" then
    return ("lofi: %s  %s"):format(view.title, words.body(view))
  end
  return "lofi: " .. (view.line or view.title .. ": " .. view.message)
end

---@param id integer?
---@param view lofi.progress.View
---@return integer
function M.show(id, view)
  local notify = require("mini.notify")
  local ended = view.status ~= "running"
  local level, group = "INFO", "DiagnosticInfo"
  if view.status == "failed" then
    level, group = "ERROR", "DiagnosticError"
  end
  local known = id and notify.get(id)
  local dismissed = id and (not known or known.ts_remove ~= nil) -- by the user: only the end may come back
  if id and not dismissed then
    notify.update(id, { msg = text(view), level = level, hl_group = group })
  elseif not id or ended then
    id = notify.add(text(view), level, group, { source = "lofi" })
  end
  if ended then
    vim.defer_fn(function()
      notify.remove(id)
    end, LAST_MS)
  end
  return id
end

return M
