--- A track's outline in text: peaks above, the loudness hanging below as their reflection, coloured by how bright the
--- sound is.
local config = require("lofi.config")
local highlight = require("lofi.ui.highlight")

local M = {}

--- Lines above and below the middle.
local UP, DOWN = 4, 2

--- The least span of tones that the colours are spread over: in a track of one colour they would show noise.
local MIN_SPAN = 0.15

---@class lofi.library.Waveform the reply to `track_waveform`
---@field columns integer
---@field peaks number[] 0–1
---@field levels number[] 0–1
---@field tones number[] 0 dark … 1 bright

---@class lofi.library.Glyphs
---@field rising string[] a cell filled from below, by parts of it, from nothing to full
---@field falling { [1]: number, [2]: string }[] a cell filled from above: up to this share, this character

---@type lofi.library.Glyphs
local BLOCKS = {
  rising = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" },
  falling = { { 0.06, " " }, { 0.3, "▔" }, { 0.75, "▀" }, { 1, "█" } },
}
---@type lofi.library.Glyphs
local ASCII = {
  rising = { " ", ".", ":", "|" },
  falling = { { 0.25, " " }, { 0.6, "'" }, { 0.85, ":" }, { 1, "|" } },
}

---@return lofi.library.Glyphs
local function glyphs()
  local plain = config.current.ascii or vim.fn.strdisplaywidth("█") ~= 1 -- two columns with 'ambiwidth'
  return plain and ASCII or BLOCKS
end

---@param fill number 0–1 of the cell
---@param set lofi.library.Glyphs
---@return string
local function rising(fill, set)
  return set.rising[math.floor(fill * (#set.rising - 1) + 0.5) + 1]
end

---@param fill number
---@param set lofi.library.Glyphs
---@return string
local function falling(fill, set)
  for _, step in ipairs(set.falling) do
    if fill <= step[1] then
      return step[2]
    end
  end
  return set.falling[#set.falling][2]
end

--- The colour of each column, relative to the track's own range of tones.
---@param tones number[]
---@return string[] groups
local function colours(tones)
  local low, high = math.huge, -math.huge
  for _, tone in ipairs(tones) do
    low, high = math.min(low, tone), math.max(high, tone)
  end
  local span = math.max(high - low, MIN_SPAN)
  local from = (low + high) / 2 - span / 2
  return vim.tbl_map(function(tone)
    local step = math.floor((tone - from) / span * highlight.WAVES) + 1
    return "LofiWave" .. math.max(1, math.min(highlight.WAVES, step))
  end, tones)
end

--- One line of it.
---@param heights number[] 0–1 of this line's cells
---@param glyph fun(fill: number, set: lofi.library.Glyphs): string
---@param groups string[]
---@return string text, lofi.ui.Paint[] paint one span for each run of a colour
local function line(heights, glyph, groups)
  local set, text, paint, at = glyphs(), {}, {}, 0
  for i, height in ipairs(heights) do
    text[i] = glyph(math.max(0, math.min(1, height)), set)
    local last = paint[#paint]
    if last and last[3] == groups[i] then
      last[2] = at + #text[i]
    else
      paint[#paint + 1] = { at, at + #text[i], groups[i] }
    end
    at = at + #text[i]
  end
  return table.concat(text), paint
end

--- The lines of the outline, a character a column.
---@param wave lofi.library.Waveform
---@return string[] lines, lofi.ui.Paint[][] paint of each line
function M.draw(wave)
  local groups, lines, paint = colours(wave.tones), {}, {}
  local loudest = 0
  for _, level in ipairs(wave.levels) do
    loudest = math.max(loudest, level)
  end
  local function add(values, scale, row, glyph)
    local heights = vim.tbl_map(function(value)
      return value * scale - row
    end, values)
    lines[#lines + 1], paint[#paint + 1] = line(heights, glyph, groups)
  end
  for row = UP - 1, 0, -1 do
    add(wave.peaks, UP, row, rising)
  end
  for row = 0, DOWN - 1 do
    add(wave.levels, loudest > 0 and DOWN / loudest or 0, row, falling)
  end
  return lines, paint
end

--- How many lines draw() makes.
M.HEIGHT = UP + DOWN

return M
