--- fidget.nvim: its progress handles. It soon takes away what has ended, so why something failed is said as a message
--- too.
local message = require("lofi.message")

---@type lofi.progress.Sink
local M = { name = "fidget", needs = "fidget.nvim" }

---@param asked boolean
---@return boolean
function M.ready(asked)
  if not asked then
    return package.loaded["fidget"] ~= nil
  end
  local ok, progress = pcall(require, "fidget.progress")
  return ok and progress.handle ~= nil
end

---@param handle table?
---@param view lofi.progress.View
---@return table
function M.show(handle, view)
  local failed = view.status == "failed"
  local news = {
    title = view.title,
    message = failed and "failed" or view.message,
    percentage = view.percent,
  }
  if handle then
    handle:report(news)
  else
    news.lsp_client = { name = "lofi" }
    handle = require("fidget.progress").handle.create(news)
  end
  if view.status == "success" then
    handle:finish()
  elseif view.status ~= "running" then
    handle:cancel()
  end
  if failed and not view.told then
    message.say(view.message, vim.log.levels.ERROR)
  end
  return handle
end

return M
