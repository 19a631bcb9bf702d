--- Generations that this editor asked for, from the request to the end of the job.
local client = require("lofi.client")
local config = require("lofi.config")
local events = require("lofi.events")
local message = require("lofi.message")
local request = require("lofi.request")
local rpc = require("lofi.rpc")
local state = require("lofi.state")

local M = {}

--- What makes the music of this editor where a request names nothing, as :LofiPick backends chose; nil = the
--- settings decide.
---@type string?
M.backend = nil

---@alias lofi.GenerateCallback fun(err: lofi.Error?, result: lofi.Generated?)

local waiting = {} ---@type table<string, lofi.GenerateCallback[]> by job id
local count = 0

--- Made here, so that notifications can be told apart before the reply has come.
---@return string
local function new_id()
  count = count + 1
  return ("nvim-%d-%x-%d"):format(vim.uv.os_getpid(), vim.uv.hrtime() % 2 ^ 32, count)
end

---@param id string
---@param err lofi.Error?
---@param result lofi.Generated?
local function finish(id, err, result)
  local callbacks = waiting[id] or {}
  waiting[id] = nil
  for _, callback in ipairs(callbacks) do
    local ok, problem = xpcall(callback, debug.traceback, err, result)
    if not ok then
      message.failed("a callback of generate()", problem)
    end
  end
end

events.on("generation_complete", function(params)
  finish(params.job_id, nil, params)
end)
events.on("generation_error", function(params)
  finish(params.job_id, rpc.error(params.code, params.message))
end)
events.on("generation_cancelled", function(params)
  finish(params.job_id, rpc.error("GENERATION_CANCELLED", "The generation was cancelled."))
end)

---@param id string
---@param prompt string
---@param reply table
local function on_accepted(id, prompt, reply)
  local last = reply.stages and reply.stages[#reply.stages]
  prompt = last and last.params.prompt or prompt
  for _, track_id in ipairs(reply.track_ids or {}) do
    state.remember(track_id, prompt)
  end
  if reply.job_id ~= id then
    -- the same track is already being made: we wait for that job
    waiting[reply.job_id] = vim.list_extend(waiting[reply.job_id] or {}, waiting[id])
    waiting[id] = nil
    state.drop_job(id)
    state.add_job(reply.job_id, prompt, true)
  end
  local job = state.job(reply.job_id)
  if job then
    job.track_id, job.position = reply.track_id, reply.position
    job.state = reply.status == "queued" and "queued" or "generating"
  end
end

--- Ask for a job whose end `callback` is called at.
---@param method "generate"|"pipeline_run"
---@param params table
---@param prompt string
---@param callback lofi.GenerateCallback
---@param accepted? fun(reply: table)
---@return string job_id
local function submit(method, params, prompt, callback, accepted)
  local id = new_id()
  params.job_id = id
  if params.auto_play == nil then
    params.auto_play = config.current.auto_play
  end
  waiting[id] = { callback }
  state.add_job(id, prompt, true)
  client.request(method, params, function(refused, reply)
    if refused then
      state.drop_job(id)
      finish(id, refused)
      return
    end
    on_accepted(id, prompt, reply)
    if accepted then
      accepted(reply)
    end
  end)
  return id
end

--- Ask for a track. `callback` is called once, when the track is there or cannot be.
---@param opts table checked by lofi.request
---@param callback lofi.GenerateCallback
---@param accepted? fun(reply: table) when the daemon took the job
---@return string? job_id
function M.generate(opts, callback, accepted)
  local params, err = request.params(opts)
  if params and vim.trim(params.prompt or "") == "" then
    params, err =
      nil, rpc.error("INVALID_PROMPT", "The prompt is empty; say what to play, such as “rainy night”.")
  end
  if not params then
    vim.schedule(function()
      callback(err)
    end)
    return
  end
  params.backend = params.backend or M.backend
  return submit("generate", params, params.prompt, callback, accepted)
end

--- What to call a pipeline: the words of its last stage, as far as they can be told before it is read.
---@param opts lofi.PipelineOpts
---@return string
local function title_of(opts)
  local stages = opts.stages or {}
  local words = (stages[#stages] or {}).prompt or (opts.shared or {}).prompt
  if opts.toml then
    words = require("lofi.studio.stages").prompt(vim.split(opts.toml, "\n", { plain = true }))
  end
  return type(words) == "string" and words ~= "" and words or "pipeline"
end

--- Run a pipeline. `callback` is called once, when all of it is there or cannot be.
---@param opts lofi.PipelineOpts
---@param callback lofi.GenerateCallback
---@param accepted? fun(reply: lofi.PipelineReply) when the daemon took the job
---@return string job_id
function M.pipeline(opts, callback, accepted)
  return submit("pipeline_run", vim.deepcopy(opts), title_of(opts), callback, accepted)
end

--- The job that cancel means when it is told none: the running one, else the newest that waits.
---@return lofi.Job?
function M.default_to_cancel()
  return state.running() or state.current.jobs[#state.current.jobs]
end

--- Cancel a job by its id or the id of its track (6 digits or more).
---@param what? string
---@param callback lofi.rpc.Callback
function M.cancel(what, callback)
  local params ---@type table
  if what then
    params = state.job(what) and { job_id = what } or { track_id = what }
  else
    local job = M.default_to_cancel()
    if not job then
      vim.schedule(function()
        callback(rpc.error("JOB_NOT_FOUND", "Nothing is being generated."))
      end)
      return
    end
    params = { job_id = job.id }
  end
  client.request("cancel", params, callback)
end

return M
