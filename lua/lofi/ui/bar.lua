--- Bars of progress: eighths of a cell where the screen can draw them, ASCII where it cannot.
local config = require("lofi.config")

local M = {}

local EIGHTHS = { "▏", "▎", "▍", "▌", "▋", "▊", "▉" }
local FULL, REST = "█", "░"

--- Whether bars are drawn with ASCII: by choice, or because 'ambiwidth' makes a block two columns wide.
---@return boolean
local function plain()
  return config.current.ascii or vim.fn.strdisplaywidth(FULL) ~= 1
end

--- A bar of exactly `columns`, at least 3.
---@param share number 0–1; what lies outside counts as the nearest of them
---@param columns integer
---@return string text
---@return integer done bytes of the text that are filled, for a highlight
function M.draw(share, columns)
  share = share == share and math.max(0, math.min(1, share)) or 0 -- 0/0 is nothing done
  if plain() then
    local cells = columns - 2
    local full = math.floor(share * cells)
    return "[" .. ("#"):rep(full) .. ("-"):rep(cells - full) .. "]", full + 1
  end
  local eighths = math.floor(share * columns * 8)
  local full, part = math.floor(eighths / 8), eighths % 8
  local done = FULL:rep(full) .. (part > 0 and EIGHTHS[part] or "")
  return done .. REST:rep(columns - full - (part > 0 and 1 or 0)), #done
end

--- The share of a bar at which a column lies, for clicks.
---@param column integer from 0, counted from the bar's first
---@param columns integer of the whole bar
---@return number share 0–1
function M.share_at(column, columns)
  local first, cells = 0, columns
  if plain() then
    first, cells = 1, columns - 2
  end
  return math.max(0, math.min(1, (column - first) / cells))
end

return M
