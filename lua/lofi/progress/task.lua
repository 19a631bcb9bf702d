--- One thing that takes a while, from its first entry to its last, shown by one sink.
local log = require("lofi.log")
local sinks = require("lofi.progress.sinks")

local M = {}

--- What a sink is given to show.
---@class lofi.progress.View
---@field title string what is made, fetched or installed
---@field message string what goes on; at the end a sentence that says what came of it
---@field percent? integer 0–100, never falls; nil = nobody knows
---@field status "running"|"success"|"failed"|"cancelled"
---@field line? string the end, for sinks that have one line and no title
---@field told? boolean somebody else says why it failed

---@class lofi.progress.Task
---@field private view lofi.progress.View
---@field private sink lofi.progress.Sink
---@field private entry any what the sink made of it
---@field private failed? { sink: lofi.progress.Sink, entry: any } the sink that could not go on
local Task = {}
Task.__index = Task

local logged = {} ---@type table<string, true>

---@param percent number
---@return integer
local function whole(percent)
  return math.max(0, math.min(100, math.floor(percent)))
end

--- Let the sink show it. One that fails is somebody else's plugin: the last line takes over.
---@private
function Task:show()
  local ok, entry = xpcall(self.sink.show, debug.traceback, self.entry, self.view)
  if ok then
    self.entry = entry
    return
  end
  local name = self.sink.name
  if not logged[name] and log.open() then
    logged[name] = true
    log.write("progress", ("%s failed, the last line shows progress instead: %s"):format(name, entry))
  end
  if name ~= "cmdline" then
    self.failed = { sink = self.sink, entry = self.entry }
    self.sink, self.entry = sinks.get("cmdline"), nil
    self:show()
  end
end

--- Say how far it is. What is left out stays as it was; a percentage never falls.
---@param news { message?: string, percent?: number, title?: string }
function Task:report(news)
  local view = self.view
  if view.status ~= "running" then
    return
  end
  local percent = news.percent and math.max(whole(news.percent), view.percent or 0) or view.percent
  local text, title = news.message or view.message, news.title or view.title
  if percent ~= view.percent or text ~= view.message or title ~= view.title then
    view.percent, view.message, view.title = percent, text, title
    self:show()
  end
end

--- Say what came of it; called once, later calls do nothing. `told`: somebody else says why it failed.
---@param message string a sentence that stands by itself
---@param status "success"|"failed"|"cancelled"
---@param how? { line?: string, told?: boolean } see lofi.progress.View
function Task:finish(message, status, how)
  local view = self.view
  if view.status ~= "running" then
    return
  end
  view.message, view.status = message, status
  view.line, view.told = how and how.line, how and how.told
  if self.sink.name ~= "cmdline" and log.open() then -- what is said there is logged with all that is said
    log.write("progress", ("%s: %s"):format(view.title, message))
  end
  if self.failed then -- what it had shown before should not stay for ever
    pcall(self.failed.sink.show, self.failed.entry, view)
  end
  self:show()
end

---@param what { title: string, message?: string, percent?: number }
---@param quiet? boolean it is shown with its next news
---@return lofi.progress.Task
function M.new(what, quiet)
  local self = setmetatable({
    view = {
      title = what.title,
      message = what.message or "",
      percent = what.percent and whole(what.percent),
      status = "running",
    },
    sink = sinks.choose(),
  }, Task)
  if not quiet then
    self:show()
  end
  return self
end

return M
