--- Progress messages of Neovim 0.12: messages with an id, which stay in :messages as they were last.
local message = require("lofi.message")
local words = require("lofi.progress.words")

---@type lofi.progress.Sink
local M = { name = "native", needs = "Neovim 0.12" }

local STATUS = { running = "running", success = "success", failed = "failed", cancelled = "cancel" }
local TITLE_SHARE = 0.4 -- of the last line
local PERCENT_COLUMNS = 8 -- ": 100% ", which Neovim puts between title and message
local MIN_COLUMNS = 20 -- for it

function M.ready()
  return vim.fn.has("nvim-0.12") == 1
end

---@param entry { id?: integer|string }
---@param view lofi.progress.View
local function echo(entry, view)
  local room = message.room()
  local title = message.cut(view.title, math.max(math.floor(room * TITLE_SHARE), 1))
  local left = room - vim.fn.strdisplaywidth(title) - PERCENT_COLUMNS
  local text = message.cut(view.status == "running" and view.message or words.ending(view), left)
  vim.cmd.redraw() -- else it may be put below the message before it, and scroll
  entry.id = vim.api.nvim_echo({ { text } }, true, {
    kind = "progress",
    id = entry.id,
    title = title,
    percent = room >= MIN_COLUMNS and view.percent or nil,
    status = STATUS[view.status],
    source = "lofi",
  })
end

---@param entry { id?: integer|string }?
---@param view lofi.progress.View
---@return { id?: integer|string }
function M.show(entry, view)
  entry = entry or {}
  if view.status ~= "running" then
    message.when_free(function()
      echo(entry, view)
    end)
  elseif message.progress_may_show() then
    echo(entry, view)
  end
  return entry
end

return M
