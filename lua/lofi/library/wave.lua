--- A track's outline in text: peaks above, the loudness hanging below as their reflection, coloured by how bright the
--- sound is.
local config = require("lofi.config")
local highlight = require("lofi.ui.highlight")

local M = {}

--- Lines above and below the middle.
local UP, DOWN = 4, 2

--- The least span of tones that the colours are spread over: in a track of one colour they would show noise.
local MIN_SPAN = 0.15

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

--- Each tone with its neighbours, so that a colour lasts long enough to be seen.
---@param tones number[]
---@return number[]
local function smooth(tones)
  local smoothed = {}
  for i, tone in ipairs(tones) do
    smoothed[i] = ((tones[i - 1] or tone) + 2 * tone + (tones[i + 1] or tone)) / 4
  end
  return smoothed
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

--- One line of it, a piece for each run of a colour.
---@param heights number[] 0–1 of this line's cells
---@param glyph fun(fill: number, set: lofi.library.Glyphs): string
---@param groups string[]
---@return lofi.ui.Row
local function line(heights, glyph, groups)
  local set, row = glyphs(), { { " " } }
  for i, height in ipairs(heights) do
    local cell = glyph(math.max(0, math.min(1, height)), set)
    local last = row[#row]
    if last[2] == groups[i] then
      last[1] = last[1] .. cell
    else
      row[#row + 1] = { cell, groups[i] }
    end
  end
  return row
end

--- The lines of the outline, a character a column.
---@param wave lofi.Waveform
---@return lofi.ui.Row[]
function M.draw(wave)
  local groups, lines = colours(smooth(wave.tones)), {}
  local loudest = 0
  for _, level in ipairs(wave.levels) do
    loudest = math.max(loudest, level)
  end
  local function add(values, scale, below, glyph)
    local heights = vim.tbl_map(function(value)
      return value * scale - below
    end, values)
    lines[#lines + 1] = line(heights, glyph, groups)
  end
  for below = UP - 1, 0, -1 do
    add(wave.peaks, UP, below, rising)
  end
  for below = 0, DOWN - 1 do
    add(wave.levels, loudest > 0 and DOWN / loudest or 0, below, falling)
  end
  return lines
end

--- How many lines draw() makes.
M.HEIGHT = UP + DOWN

return M
