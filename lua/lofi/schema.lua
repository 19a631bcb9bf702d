--- One entry of a table of options: what fits it, and how that is said. Knows no particular option.
local M = {}

---@alias lofi.schema.Type "boolean"|"string"|"number"|"integer"|"seed"|"command"

---@class lofi.schema.Entry
---@field name string dotted where it is nested: "player.volume"
---@field type lofi.schema.Type
---@field default? any
---@field enum? string[]
---@field min? number
---@field max? number
---@field doc string one or two sentences, for the help
---@field alias? string[] shorter names that people may write

local MAX_INTEGER = 2 ^ 53 - 1

---@param value any
local function whole(value)
  return type(value) == "number" and value == math.floor(value) and math.abs(value) <= MAX_INTEGER
end

--- A command line as a list of words, or as the one word of a program without arguments.
local function is_command(value)
  if type(value) == "string" then
    return value ~= ""
  end
  if type(value) ~= "table" or #value == 0 or not vim.islist(value) then
    return false
  end
  return vim.iter(value):all(function(word)
    return type(word) == "string"
  end)
end

---@type table<lofi.schema.Type, fun(value: any): boolean>
local fits = {
  boolean = function(value)
    return type(value) == "boolean"
  end,
  string = function(value)
    return type(value) == "string"
  end,
  number = function(value)
    return type(value) == "number" and value == value and math.abs(value) ~= math.huge
  end,
  integer = whole,
  seed = function(value)
    return (whole(value) and value >= 0) or (type(value) == "string" and value:match("^%d+$") ~= nil)
  end,
  command = is_command,
}

---@type table<lofi.schema.Type, string>
local nouns = {
  boolean = "true or false",
  string = "a string",
  number = "a number",
  integer = "a whole number",
  seed = "a whole number from 0 up (above 2^53 as a string of digits)",
  command = "a program or a list of words",
}

--- What `entry` takes, as the end of a sentence: "a number from 0 to 1", "one of a, b, c".
---@param entry lofi.schema.Entry
---@return string
function M.expects(entry)
  if entry.enum then
    return "one of " .. table.concat(entry.enum, ", ")
  end
  local noun = nouns[entry.type]
  if entry.min and entry.max then
    return ("%s from %g to %g"):format(noun, entry.min, entry.max)
  elseif entry.min then
    return ("%s from %g up"):format(noun, entry.min)
  end
  return noun
end

--- Whether `value` fits `entry`.
---@param entry lofi.schema.Entry
---@param value any
---@return boolean
function M.check(entry, value)
  if not fits[entry.type](value) then
    return false
  end
  if entry.enum and not vim.list_contains(entry.enum, value) then
    return false
  end
  return not (entry.min and value < entry.min) and not (entry.max and value > entry.max)
end

--- `value` as a message shows it: short, on one line.
---@param value any
---@return string
function M.show(value)
  local text = type(value) == "string" and ("%q"):format(value) or vim.inspect(value)
  text = text:gsub("%s+", " ")
  return #text > 40 and vim.fn.strcharpart(text, 0, 39) .. "…" or text
end

--- How many letters have to be put in, left out, changed or swapped with their neighbour to turn `a` into `b`
--- (optimal string alignment distance).
---@param a string
---@param b string
---@return integer
local function distance(a, b)
  local before, last, row = {}, {}, {}
  for j = 0, #b do
    last[j] = j
  end
  for i = 1, #a do
    row[0] = i
    for j = 1, #b do
      local changed = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + changed)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
    before, last, row = last, row, before
  end
  return last[#b]
end

--- The name in `names` that `name` was probably meant to be, or nil.
---@param name string
---@param names string[]
---@param slips_at_most? integer 2, or a third of its letters
---@return string?
function M.nearest(name, names, slips_at_most)
  local best, least = nil, (slips_at_most or math.max(2, math.floor(#name / 3))) + 1
  for _, known in ipairs(names) do
    local slips = distance(name:lower(), known:lower())
    if slips < least then
      best, least = known, slips
    end
  end
  return best
end

return M
