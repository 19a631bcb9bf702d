--- Which of the places that can show progress is used.
local config = require("lofi.config")
local message = require("lofi.message")

local M = {}

--- A place that shows progress. Each has a file of its name here.
---@class lofi.progress.Sink
---@field name string
---@field needs? string what has to be there, for the line that says it is missing
---@field ready fun(asked: boolean): boolean whether it can be used; unless it is `asked` for by name, it is only used
---where the user has it in use already, and nothing of it is loaded
---@field show fun(entry: any, view: lofi.progress.View): any shows news or the end; `entry` is what it returned before,
---nil at first

--- In the order in which "auto" tries them.
M.ORDER = { "fidget", "snacks", "mini", "notify", "native", "cmdline" }

---@type lofi.progress.Sink
local none = {
  name = "none",
  ready = function()
    return true
  end,
  show = function(_, view)
    if view.status == "failed" and not view.told then
      message.say(view.message, vim.log.levels.ERROR)
    end
  end,
}

---@param name string
---@return lofi.progress.Sink
function M.get(name)
  return name == "none" and none or require("lofi.progress." .. name)
end

---@param sink lofi.progress.Sink
---@param asked boolean
---@return boolean
local function ready(sink, asked)
  local ok, answer = pcall(sink.ready, asked)
  return ok and answer
end

local missed = {} ---@type table<string, true>

--- The sink of the settings; asked for each task anew, as plugins may be loaded at any time.
---@param quiet? boolean say nothing of one that is missing
---@return lofi.progress.Sink
function M.choose(quiet)
  local wanted = config.current.progress
  if wanted ~= "auto" then
    local sink = M.get(wanted)
    if ready(sink, true) then
      return sink
    end
    if not quiet and not missed[wanted] then
      missed[wanted] = true
      local text = "progress = “%s” needs %s; until it is there progress is shown in the last line."
      message.say(text:format(wanted, sink.needs), vim.log.levels.WARN)
    end
    return M.get("cmdline")
  end
  for _, name in ipairs(M.ORDER) do
    local sink = M.get(name)
    if ready(sink, false) then
      return sink
    end
  end
  return M.get("cmdline")
end

return M
