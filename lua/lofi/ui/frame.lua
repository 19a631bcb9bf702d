--- Where the small windows of lofi stand, and what is drawn around them.
local config = require("lofi.config")

local M = {}

local ASCII_BORDER = { "+", "-", "+", "|", "+", "-", "+", "|" }

--- What the user set for all floats has the last word.
---@return string|string[]
local function border()
  local set = vim.o.winborder
  if set:find(",", 1, true) then
    return vim.split(set, ",", { plain = true })
  elseif set ~= "" then
    return set
  end
  return config.current.ascii and ASCII_BORDER or "rounded"
end

--- The first row under the line of tab pages.
---@return integer
local function top()
  local tabs = vim.o.showtabline
  return (tabs == 2 or tabs == 1 and #vim.api.nvim_list_tabpages() > 1) and 1 or 0
end

---@class lofi.ui.Frame
---@field title string
---@field footer? string
---@field width integer columns that it would like
---@field height integer lines that it would like
---@field below? integer a row at which it may begin, if the rest of the screen has room for it

--- Columns that a window gets which would like so many.
---@param wanted integer
---@return integer
function M.width(wanted)
  return math.max(20, math.min(wanted, vim.o.columns - 2))
end

--- The last row that a window may have, and then the rows and columns that its border takes.
---@return integer bottom
---@return integer thick
---@return string|string[] edges
local function room()
  local edges = border()
  local bottom = vim.o.lines - vim.o.cmdheight - (vim.o.laststatus > 0 and 1 or 0)
  return bottom, edges == "none" and 0 or 2, edges
end

--- Neovim refuses a title on a window without a border.
---@param place vim.api.keyset.win_config
---@param frame lofi.ui.Frame
---@return vim.api.keyset.win_config
local function titled(place, frame)
  if place.border ~= "none" then
    place.title, place.title_pos = (" %s "):format(frame.title), "left"
    if frame.footer then
      place.footer, place.footer_pos = (" %s "):format(frame.footer), "right"
    end
  end
  return place
end

--- In the corner at the top right, where code is seldom.
---@param frame lofi.ui.Frame
---@return vim.api.keyset.win_config
function M.corner(frame)
  local bottom, thick, edges = room()
  local row = top()
  if frame.below and frame.below + frame.height + thick <= bottom then
    row = frame.below
  end
  return titled({
    relative = "editor",
    anchor = "NE",
    row = row,
    col = vim.o.columns,
    width = M.width(frame.width),
    height = math.max(1, math.min(frame.height, bottom - row - thick)),
    border = edges,
  }, frame)
end

--- In the middle, for what is read and left again.
---@param frame lofi.ui.Frame
---@return vim.api.keyset.win_config
function M.centre(frame)
  local bottom, thick, edges = room()
  local width, height = M.width(frame.width), math.max(1, math.min(frame.height, bottom - top() - thick))
  return titled({
    relative = "editor",
    row = math.max(top(), math.floor((bottom - height - thick) / 2)),
    col = math.max(0, math.floor((vim.o.columns - width - thick) / 2)),
    width = width,
    height = height,
    border = edges,
  }, frame)
end

return M
