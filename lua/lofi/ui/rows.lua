--- Lines put together from coloured pieces. What did not change is not written again, so that the cursor and the
--- screen stay as they are.
local config = require("lofi.config")
local message = require("lofi.message")

local M = {}

---@class lofi.ui.Piece
---@field [1] string
---@field [2] string? highlight group

---@alias lofi.ui.Row lofi.ui.Piece[]

---@class lofi.ui.Rows
---@field texts string[] as they are in the buffer
---@field paints lofi.ui.Paint[][]
local Rows = {}
Rows.__index = Rows

--- `text` cut or filled up to exactly `columns`.
---@param text string
---@param columns integer
---@return string
function M.fit(text, columns)
  if #text <= columns and not text:find("[^\32-\126]") then -- most are: lists may have ten thousand lines
    return text .. (" "):rep(columns - #text)
  end
  text = message.cut(text, columns, config.current.ascii and "" or nil)
  return text .. (" "):rep(columns - vim.fn.strdisplaywidth(text))
end

--- None yet.
---@return lofi.ui.Rows
function M.new()
  return setmetatable({ texts = { "" }, paints = {} }, Rows)
end

---@param row lofi.ui.Row
---@return string text
---@return lofi.ui.Paint[]
local function flatten(row)
  local texts, paints, at = {}, {}, 0
  for i, piece in ipairs(row) do
    texts[i] = piece[1]
    if piece[2] then
      table.insert(paints, { at, at + #piece[1], piece[2] })
    end
    at = at + #piece[1]
  end
  return table.concat(texts), paints
end

--- The colours of a line, as a surface asks for them.
---@param row integer from 0
---@return lofi.ui.Paint[]
function Rows:paint(row)
  return self.paints[row + 1] or {}
end

--- Make the surface show these.
---@param surface lofi.ui.Surface
---@param rows lofi.ui.Row[] at least one
function Rows:show(surface, rows)
  local texts = {} ---@type string[]
  self.paints = {}
  for i, row in ipairs(rows) do
    texts[i], self.paints[i] = flatten(row)
  end
  self:write(surface, texts)
end

--- The same for lines whose colours are known elsewhere.
---@param surface lofi.ui.Surface
---@param texts string[] at least one
function Rows:write(surface, texts)
  local old = self.texts
  self.texts = texts
  local first, last, old_last = 1, #texts, #old
  while first <= math.min(last, old_last) and texts[first] == old[first] do
    first = first + 1
  end
  while last >= first and old_last >= first and texts[last] == old[old_last] do
    last, old_last = last - 1, old_last - 1
  end
  if last >= first or old_last >= first then
    local row = surface:row()
    surface:set(first - 1, old_last, vim.list_slice(texts, first, last))
    self:keep_in_view(surface, row)
  end
  surface:repaint(0, -1)
end

--- Put the cursor into that row, from 0, and scroll no further than that takes.
---@param surface lofi.ui.Surface
---@param row integer
function Rows:keep_in_view(surface, row)
  local window = surface:window()
  if window then
    local fits = #self.texts <= vim.api.nvim_win_get_height(window)
    vim.api.nvim_win_call(window, function()
      local lnum = math.min(row + 1, #self.texts)
      vim.fn.winrestview({ lnum = lnum, col = 0, topline = fits and 1 or nil })
    end)
  end
end

return M
