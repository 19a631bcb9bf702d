--- Progress of what this editor asked for, wherever the user has such things shown: one entry for each task, updated
--- in place and ended once. What the radio or another editor has made is not told here.
local events = require("lofi.events")
local message = require("lofi.message")
local sinks = require("lofi.progress.sinks")
local state = require("lofi.state")
local task = require("lofi.progress.task")
local time = require("lofi.time")
local words = require("lofi.progress.words")

local M = {}

local TITLE_COLUMNS = 40

local tasks = {} ---@type table<string, lofi.progress.Task> by job id

--- Show something that takes a while. Call `report` as it goes on and `finish` once at its end.
---@param what { title: string, message?: string, percent?: number }
---@return lofi.progress.Task
function M.task(what)
  return task.new(what)
end

--- The sink that the next task is shown by.
---@return string name as in setup()
function M.sink()
  return sinks.choose(true).name
end

---@param job lofi.Job
---@return string
local function notes(job)
  local found = {}
  if job.state == "queued" then
    table.insert(found, "queued")
  end
  local loading = state.current.loading
  if loading and job.state == "generating" then
    table.insert(found, ("loading %s %s"):format(loading.backend, loading.model))
  elseif job.eta_sec then
    table.insert(found, time.clock(math.ceil(job.eta_sec)) .. " left")
  end
  local others = #state.current.jobs - 1
  if others > 0 and job.state ~= "queued" then
    table.insert(found, others .. " waiting")
  end
  return table.concat(found, ", ")
end

---@param prompt string?
---@return string
local function title(prompt)
  return message.cut(vim.trim((prompt or ""):gsub("%s+", " ")), TITLE_COLUMNS)
end

---@param job lofi.Job
local function show(job)
  local news = {
    title = title(job.prompt),
    message = notes(job),
    percent = job.state == "generating" and job.percent or nil,
  }
  if tasks[job.id] then
    tasks[job.id]:report(news)
  else
    tasks[job.id] = M.task(news)
  end
end

--- The daemon took a job: its entry begins. The last line has no room for one that waits, but for a message.
---@param reply { job_id: string, status: string, position?: integer }
function M.accepted(reply)
  local job = state.job(reply.job_id)
  if reply.status == "queued" and M.sink() == "cmdline" then
    message.say(("queued, %d ahead of it."):format(reply.position))
  elseif job then
    show(job)
  end
end

---@param params table
local function on_progress(params)
  local job = state.job(params.job_id)
  if job then
    show(job)
  end
end

--- The task of a job that has ended; what came from the library had none.
---@param params table
---@return lofi.progress.Task
local function take(params)
  local found = tasks[params.job_id]
  tasks[params.job_id] = nil
  return found or task.new({ title = title(params.prompt or state.title(params.track_id)) }, true)
end

---@param params lofi.Generated
local function on_complete(params)
  local more = #(params.tracks or {}) > 1 and (", %d tracks"):format(#params.tracks) or ""
  local took = params.cached and "from the library" or ("in %.1f s"):format(params.generation_time_sec or 0)
  local length, id = time.clock(params.duration_sec or 0), (params.track_id or ""):sub(1, 12)
  take(params):finish(("%s %s%s, :LofiPlay %s"):format(length, took, more, id), "success", {
    line = ("done %s%s, %s %s, :LofiPlay %s"):format(
      words.quoted(title(params.prompt)),
      more,
      length,
      took,
      id
    ),
  })
end

---@param params table
local function on_error(params)
  -- the end of the daemon is one message, not one for each job
  local told = params.code == "DAEMON_EXITED"
  take(params):finish(params.message or tostring(params.code), "failed", { told = told })
end

---@param params table
local function on_cancelled(params)
  take(params):finish("cancelled.", "cancelled")
end

--- Follow what the daemon says; called once.
function M.attach()
  for event, listener in pairs({
    generation_started = on_progress,
    generation_progress = on_progress,
    generation_complete = on_complete,
    generation_error = on_error,
    generation_cancelled = on_cancelled,
  }) do
    events.on(event, function(params)
      if state.is_own(params.job_id) then
        listener(params)
      end
    end)
  end
  events.on("backend_status", function()
    local job = state.running()
    if job and state.is_own(job.id) and tasks[job.id] then
      show(job)
    end
  end)
end

return M
