--- The words of a task, for the sinks that have none of their own.
local bar = require("lofi.ui.bar")
local config = require("lofi.config")

local M = {}

local BAR_COLUMNS = 14

---@param text string
---@return string
function M.quoted(text)
  return config.current.ascii and ('"%s"'):format(text) or ("“%s”"):format(text)
end

--- " 45% ██████▎░░░░░░░", or nil where nobody knows how far it is.
---@param view lofi.progress.View
---@return string?
function M.percent(view)
  return view.percent and ("%2d%% %s"):format(view.percent, (bar.draw(view.percent / 100, BAR_COLUMNS)))
end

--- What goes below a title: bar and notes, at the end the sentence.
---@param view lofi.progress.View
---@return string
function M.body(view)
  local parts = {}
  if view.status == "running" then
    table.insert(parts, M.percent(view))
  end
  if view.message ~= "" then
    table.insert(parts, view.message)
  end
  return #parts > 0 and table.concat(parts, "  ") or "…"
end

--- `text` in lines of at most `columns` where words allow it, for windows that cut what is too long.
---@param text string
---@param columns integer
---@return string
function M.wrap(text, columns)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    local longer = line == "" and word or line .. " " .. word
    if line ~= "" and vim.fn.strdisplaywidth(longer) > columns then
      table.insert(lines, line)
      longer = word
    end
    line = longer
  end
  table.insert(lines, line)
  return table.concat(lines, "\n")
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
