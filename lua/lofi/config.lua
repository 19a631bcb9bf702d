--- The user's settings. One schema (lofi.options) feeds defaults, validation, health, help (doc/lofi.txt) and types
--- (meta/options.lua).
local schema = require("lofi.schema")

local M = {}

---@class lofi.config.Entry: lofi.schema.Entry
---@field daemon? boolean belongs to the daemon (lofi.options.daemon)
---@field ascii? string the default with `ascii = true`
---@field reads? table<string, string> values of the first lofi.nvim → those of now

---@type lofi.config.Entry[]
M.schema = vim.list_extend({}, require("lofi.options.plugin"))
for _, entry in ipairs(require("lofi.options.daemon")) do
  entry.daemon = true
  table.insert(M.schema, entry)
end

---@type table<string, lofi.config.Entry>
local by_name = {}
---@type table<string, true>
local groups = {}
for _, entry in ipairs(M.schema) do
  by_name[entry.name] = entry
  for _, alias in ipairs(entry.alias or {}) do
    by_name[alias] = entry
  end
  local group = entry.name:match("^([^.]+)%.")
  if group then
    groups[group] = true
  end
end

---@return lofi.config.Resolved
local function with_defaults(given)
  local resolved = {}
  for _, entry in ipairs(M.schema) do
    if not entry.daemon then
      local value = given[entry.name]
      if value == nil then
        value = given.ascii and entry.ascii or entry.default
      end
      resolved[entry.name] = value
    end
  end
  return resolved
end

---@class lofi.config.Resolved: table<string, any> every setting of the plugin under its dotted name

---@type lofi.config.Resolved
M.current = with_defaults({})

---@type string[] what did not fit in the last setup(), for :checkhealth
M.problems = {}

---@type table<string, any> what the user set of the daemon's settings
local daemon_settings = {}

---@param path string
---@return string
local function unknown(path)
  local names = vim.tbl_map(function(entry)
    return entry.name
  end, M.schema)
  table.sort(names)
  local nearest = schema.nearest(path, names)
  return ("setup(): there is no option “%s”%s; see :help lofi-options"):format(
    path,
    nearest and (", perhaps “%s”"):format(nearest) or ""
  )
end

---@param opts table
---@param prefix string
---@param given table<string, any>
---@param problems string[]
local function collect(opts, prefix, given, problems)
  local keys = vim.tbl_keys(opts)
  table.sort(keys, function(a, b)
    return tostring(a) < tostring(b) -- a user's table may mix names and numbers
  end)
  for _, key in ipairs(keys) do
    local value, path = opts[key], prefix .. tostring(key)
    local entry = by_name[path]
    if entry then
      value = entry.reads and entry.reads[value] or value
      if not schema.check(entry, value) then
        local problem = "setup(): %s must be %s, not %s; the default is used"
        table.insert(problems, problem:format(path, schema.expects(entry), schema.show(value)))
      elseif path == entry.name or given[entry.name] == nil then -- an old name gives way to the one of now
        given[entry.name] = value
      end
    elseif groups[path] and type(value) == "table" then
      collect(value, path .. ".", given, problems)
    elseif groups[path] then
      table.insert(
        problems,
        ("setup(): %s must be a table of options, not %s"):format(path, schema.show(value))
      )
    else
      table.insert(problems, unknown(path))
    end
  end
end

--- Take the user's options, all of them anew. What does not fit is left at its default.
---@param opts any
---@return string[] problems one line each
function M.set(opts)
  local problems, given = {}, {}
  if opts == nil then
    opts = {}
  end
  if type(opts) ~= "table" then
    table.insert(problems, ("setup(): options are a table, not %s"):format(schema.show(opts)))
    opts = {}
  end
  collect(opts, "", given, problems)
  M.current, M.problems = with_defaults(given), problems
  daemon_settings = {}
  for name, value in pairs(given) do
    if by_name[name].daemon then
      daemon_settings[name] = value
    end
  end
  return problems
end

--- The daemon's settings that the user set, as `--set name=value` words in the schema's order.
---@return string[]
function M.daemon_args()
  local args = {}
  for _, entry in ipairs(M.schema) do
    local value = daemon_settings[entry.name]
    if value ~= nil then
      vim.list_extend(args, { "--set", ("%s=%s"):format(entry.name, tostring(value)) })
    end
  end
  return args
end

---@param name string
---@return lofi.config.Entry
function M.entry(name)
  return assert(by_name[name], name)
end

return M
