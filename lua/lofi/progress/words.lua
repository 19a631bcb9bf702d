--- The words of a task, for the sinks that have none of their own.
local bar = require("lofi.ui.bar")
local config = require("lofi.config")

local M = {}

local LINE_COLUMNS, CORNER_COLUMNS = 14, 10 -- of bars

---@param text string
---@return string
function M.quoted(text)
  return config.current.ascii and ('"%s"'):format(text) or ("“%s”"):format(text)
end

---@param view lofi.progress.View
---@param columns integer of the bar
---@return string? text nil where nobody knows how far it is
local function percent(view, columns)
  return view.percent and ("%2d%% %s"):format(view.percent, (bar.draw(view.percent / 100, columns)))
end

--- What stands before the title in a line: " 45% ██████▎░░░░░░░".
---@param view lofi.progress.View
---@return string?
function M.percent(view)
  return percent(view, LINE_COLUMNS)
end

--- What goes below a title: bar and notes, at the end the sentence.
---@param view lofi.progress.View
---@return string
function M.body(view)
  local parts = {}
  if view.status == "running" then
    table.insert(parts, percent(view, CORNER_COLUMNS))
  end
  if view.message ~= "" then
    table.insert(parts, view.message)
  end
  return #parts > 0 and table.concat(parts, "  ") or "…"
end

--- The end in one line.
---@param view lofi.progress.View
---@return string
function M.ending(view)
  return view.line or view.message
end

--- The level of its entry.
---@param view lofi.progress.View
---@return integer vim.log.levels.*
function M.level(view)
  return view.status == "failed" and vim.log.levels.ERROR or vim.log.levels.INFO
end

return M
