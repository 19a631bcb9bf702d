--- What may be asked of the radio: the words after :LofiRadio as a table of options.
local rpc = require("lofi.rpc")
local schema = require("lofi.schema")
local time = require("lofi.time")

local M = {}

---@type lofi.schema.Entry[]
M.schema = {
  {
    name = "strategy",
    type = "string",
    enum = { "same_prompt", "preset_cycle", "random_preset", "library" },
    doc = "What plays next: the prompt again and again with new seeds, the presets in turn or at random, or what "
      .. "the library has.",
  },
  {
    name = "preset",
    type = "string",
    doc = "A preset's name, or several with commas between; the strategy goes through them.",
  },
  {
    name = "duration",
    type = "number",
    min = 5,
    max = 600,
    doc = "Length of each track in seconds; in commands also minutes, as 2:30.",
  },
  { name = "backend", type = "string", doc = "What makes the music." },
}

--- Words of the command → fields of the request.
local WIRE = { strategy = "strategy", duration = "duration_sec", backend = "backend" }

local by_name = {} ---@type table<string, lofi.schema.Entry>
local names = {} ---@type string[]
for _, entry in ipairs(M.schema) do
  by_name[entry.name] = entry
  table.insert(names, entry.name)
end

---@param text string
---@param field string
---@return nil, lofi.Error
local function refuse(text, field)
  return nil, rpc.error("INVALID_PARAMS", text, { field = field })
end

---@param line string
---@return lofi.RadioOpts? opts, lofi.Error? err
function M.parse(line)
  local opts, prompt, given = {}, {}, {}
  for word in line:gmatch("%S+") do
    local name, value = word:match("^([%a_]+)=(.+)$")
    if not name then
      table.insert(prompt, word)
    else
      local entry = by_name[name]
      if not entry then
        local nearest = schema.nearest(name, names)
        local hint = nearest and ("; perhaps “%s”?"):format(nearest) or "."
        local text = "The radio has no option “%s”%s Options are %s."
        return refuse(text:format(name, hint, table.concat(names, ", ")), name)
      elseif given[name] then
        return refuse(("%s is given twice."):format(name), name)
      end
      given[name] = true
      local read = entry.type == "number" and time.parse(value) or value
      if not schema.check(entry, read) then
        return refuse(
          ("%s must be %s, not %s."):format(name, schema.expects(entry), schema.show(value)),
          name
        )
      elseif name == "preset" then
        opts.presets = vim.split(read, ",", { trimempty = true })
      else
        opts[WIRE[name]] = read
      end
    end
  end
  opts.prompt = #prompt > 0 and table.concat(prompt, " ") or nil
  return opts
end

--- Completions of the last word of `before`.
---@param before string
---@param presets string[]
---@return string[]
function M.complete(before, presets)
  local lead = before:match("%S*$")
  local name, start = lead:match("^([%a_]+)=(.*)$")
  local given = {} ---@type table<string, true>
  for word in before:gmatch("([%a_]+)=") do
    given[word] = true
  end
  local choices = {} ---@type string[]
  if name == "preset" then
    local first = start:match("^.*,") or ""
    choices = vim.tbl_map(function(preset)
      return name .. "=" .. first .. preset
    end, presets)
  elseif name then
    choices = vim.tbl_map(function(value)
      return name .. "=" .. value
    end, by_name[name] and by_name[name].enum or {})
  else
    for _, known in ipairs(names) do
      if not given[known] then
        table.insert(choices, known .. "=")
      end
    end
  end
  return vim
    .iter(choices)
    :filter(function(choice)
      return vim.startswith(choice, lead)
    end)
    :totable()
end

return M
