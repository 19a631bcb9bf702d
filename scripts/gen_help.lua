-- Writes what the schemas say into the help and the type annotations.
--
--   nvim -l scripts/gen_help.lua [--check]
--
-- With --check nothing is written; exit 1 names what has drifted.

local root = vim.fs.dirname(vim.fs.dirname(vim.fs.abspath(arg[0])))
package.path = ("%s/lua/?.lua;%s/lua/?/init.lua;"):format(root, root) .. package.path
local config = require("lofi.config")
local radio = require("lofi.radio")
local request = require("lofi.request")

local WIDTH = 78
local INDENT = "    "

---@param text string
---@param indent string
---@return string[]
local function wrap(text, indent)
  local lines, line = {}, indent
  for word in text:gmatch("%S+") do
    if vim.fn.strdisplaywidth(line .. word) > WIDTH and line ~= indent then
      table.insert(lines, (line:gsub("%s+$", "")))
      line = indent
    end
    line = line .. word .. " "
  end
  table.insert(lines, (line:gsub("%s+$", "")))
  return lines
end

---@param left string
---@param tag string
---@return string
local function tagged(left, tag)
  return left .. (" "):rep(math.max(1, WIDTH - #left - #tag)) .. tag
end

---@param value any
---@return string
local function literal(value)
  if value == nil then
    return "not set"
  end
  return type(value) == "string" and '"' .. value .. '"' or tostring(value)
end

---@param entry lofi.schema.Entry
---@return string
local function takes(entry)
  local names = { boolean = "boolean", string = "string", number = "number", integer = "integer" }
  local text = names[entry.type]
    or (entry.type == "seed" and "integer or string of digits")
    or "string or list"
  if entry.enum then
    return table.concat(entry.enum, ", ")
  elseif entry.min and entry.max then
    return ("%s, %g to %g"):format(text, entry.min, entry.max)
  elseif entry.min then
    return ("%s, from %g"):format(text, entry.min)
  end
  return text
end

---@param entries lofi.config.Entry[]
---@return string[]
local function option_lines(entries)
  local lines = {}
  for _, entry in ipairs(entries) do
    table.insert(lines, tagged(entry.name, "*lofi-" .. entry.name:gsub("_", "-") .. "*"))
    local facts = ("Type: %s. Default: %s."):format(takes(entry), literal(entry.default))
    vim.list_extend(lines, wrap(facts, INDENT))
    if entry.ascii and entry.ascii ~= entry.default then
      table.insert(lines, ("%sWith ascii: %s."):format(INDENT, literal(entry.ascii)))
    end
    vim.list_extend(lines, wrap(entry.doc, INDENT))
    table.insert(lines, "")
  end
  return lines
end

---@param daemon boolean
---@return lofi.config.Entry[]
local function settings(daemon)
  return vim
    .iter(config.schema)
    :filter(function(entry)
      return (entry.daemon or false) == daemon
    end)
    :totable()
end

---@param entries lofi.schema.Entry[]
---@return string[]
local function request_lines(entries)
  local lines = {}
  for _, entry in ipairs(entries) do
    local name = entry.alias and ("%s (%s)"):format(entry.alias[1], entry.name) or entry.name
    table.insert(lines, name .. "  ~")
    vim.list_extend(lines, wrap(("%s. %s"):format(takes(entry), entry.doc), INDENT))
  end
  table.insert(lines, "")
  return lines
end

--- The lines of a help file with those between `begin` and the next rule replaced.
---@param lines string[]
---@param begin string a tag
---@param body string[]
---@return string[]
local function replace_section(lines, begin, body)
  local out, inside, found = {}, false, false
  for _, line in ipairs(lines) do
    if inside and (line:find("^====") or line:find("^%-%-%-%-")) then
      inside = false
    end
    if not inside then
      table.insert(out, line)
    end
    if line:find(begin, 1, true) and line:find("%*$") then
      inside, found = true, true
      table.insert(out, "")
      vim.list_extend(out, body)
    end
  end
  assert(found, "no section " .. begin)
  return out
end

---@param lines string[]
---@return string[]
local function help(lines)
  lines = replace_section(lines, "*lofi-options*", option_lines(settings(false)))
  lines = replace_section(lines, "*lofi-daemon-options*", option_lines(settings(true)))
  lines = replace_section(lines, "*lofi-radio-options*", request_lines(radio.schema))
  return replace_section(lines, "*lofi-request-options*", request_lines(request.schema))
end

---@param entry lofi.schema.Entry
---@return string
local function annotation(entry)
  if entry.enum then
    return '"' .. table.concat(entry.enum, '"|"') .. '"'
  end
  return ({ seed = "integer|string", command = "string|string[]" })[entry.type] or entry.type
end

---@param class string
---@param fields { name: string, type: string, doc?: string, required?: boolean }[]
---@return string[]
local function class_lines(class, fields)
  local lines = { "", "---@class " .. class }
  for _, field in ipairs(fields) do
    local name = field.name .. (field.required and "" or "?")
    table.insert(lines, vim.trim(("---@field %s %s %s"):format(name, field.type, field.doc or "")))
  end
  return lines
end

---@return string[]
local function annotations()
  local top, groups, order = {}, {}, {}
  for _, entry in ipairs(config.schema) do
    local group, name = entry.name:match("^(.-)%.(.*)$")
    local field = { name = name or entry.name, type = annotation(entry), doc = entry.doc }
    for _, alias in ipairs(entry.alias or {}) do
      local doc = "What the first lofi.nvim called " .. entry.name .. "."
      table.insert(top, { name = alias, type = field.type, doc = doc })
    end
    if not group then
      table.insert(top, field)
    else
      if not groups[group] then
        groups[group] = {}
        table.insert(order, group)
        local class = "lofi.Config." .. group:sub(1, 1):upper() .. group:sub(2)
        table.insert(top, { name = group, type = class })
      end
      table.insert(groups[group], field)
    end
  end
  local lines = { "---@meta", "--- Made by scripts/gen_help.lua from the schemas; change those." }
  vim.list_extend(lines, class_lines("lofi.Config", top))
  for _, group in ipairs(order) do
    vim.list_extend(
      lines,
      class_lines("lofi.Config." .. group:sub(1, 1):upper() .. group:sub(2), groups[group])
    )
  end
  local fields = { { name = "prompt", type = "string", doc = "1–512 characters", required = true } }
  for _, entry in ipairs(request.schema) do
    for _, name in ipairs({ entry.name, unpack(entry.alias or {}) }) do
      table.insert(fields, { name = name, type = annotation(entry), doc = entry.doc })
    end
  end
  return vim.list_extend(lines, class_lines("lofi.GenerateOpts", fields))
end

---@param path string
---@return string[]
local function read(path)
  local file = io.open(root .. "/" .. path)
  if not file then
    return {}
  end
  local text = file:read("*a")
  file:close()
  return vim.split(text:gsub("\n$", ""), "\n")
end

local check = vim.list_contains(arg, "--check")
local drifted = {}

---@param path string
---@param make fun(lines: string[]): string[]
local function generate(path, make)
  local before = read(path)
  local after = make(before)
  if not vim.deep_equal(before, after) then
    table.insert(drifted, path)
    if not check then
      local file = assert(io.open(root .. "/" .. path, "w"))
      file:write(table.concat(after, "\n"), "\n")
      file:close()
    end
  end
end

generate("doc/lofi.txt", help)
generate("lua/lofi/meta/options.lua", annotations)
if check and #drifted > 0 then
  print("Run `nvim -l scripts/gen_help.lua`: the schemas say otherwise than " .. table.concat(drifted, ", "))
  os.exit(1)
end
