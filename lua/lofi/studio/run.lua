--- Runs a pipeline from its buffer, and knows what has come of each stage.
local diagnose = require("lofi.studio.diagnose")
local events = require("lofi.events")
local marks = require("lofi.studio.marks")
local names = require("lofi.studio.names")
local stages = require("lofi.studio.stages")
local state = require("lofi.state")
local words = require("lofi.command.words")

local M = {}

--- What has come of a stage.
---@class lofi.studio.Result
---@field state "waiting"|"running"|"done"|"failed"|"cancelled"
---@field said string what the stage said when it was run
---@field shared string what all stages shared then
---@field mark integer where it stands, see lofi.studio.marks
---@field ahead? integer jobs before a waiting one
---@field percent? integer
---@field eta_sec? number of the whole run
---@field more_stages? boolean there are stages after it
---@field seconds? number that it took
---@field cached? boolean all was in the library
---@field tracks { id: string, duration_sec: number, prompt: string }[]
---@field latent_id? string
---@field checkpoint_id? string
---@field checkpoint_step? integer
---@field params? table that were really used
---@field message? string why it failed

local by_job = {} ---@type table<string, lofi.studio.Studio>

--- The stage of a studio's latest job that is told of; where none is named, the one whose turn it is.
---@param params { job_id: string, stage_index?: integer }
---@return lofi.studio.Studio?, lofi.studio.Result?
local function of(params)
  local studio = by_job[params.job_id]
  if not studio or studio.job ~= params.job_id then
    return nil
  elseif params.stage_index then
    return studio, studio.run[params.stage_index + 1]
  end
  local result = vim.iter(studio.run):find(function(one)
    return one.state == "running" or one.state == "waiting"
  end)
  return studio, result or studio.run[#studio.run]
end

--- Take what is told of a job into its studio. Of an older job nothing is kept but that it is over.
---@param event string
---@param change fun(result: lofi.studio.Result, params: table, studio: lofi.studio.Studio)
---@param is_end? boolean
local function hear(event, change, is_end)
  events.on(event, function(params)
    local studio, result = of(params)
    if result then
      change(result, params, studio --[[@as lofi.studio.Studio]])
    end
    if is_end then
      by_job[params.job_id] = nil
      if studio then
        studio.job = nil
      end
    end
    if studio then
      marks.draw(studio)
    end
  end)
end

---@param tracks lofi.Track[]
---@return { id: string, duration_sec: number, prompt: string }[]
local function brief(tracks)
  return vim.tbl_map(function(track)
    return { id = track.id, duration_sec = track.duration_sec, prompt = track.prompt }
  end, tracks)
end

--- The run is over: what was not begun will not be.
---@param studio lofi.studio.Studio
---@param left "failed"|"cancelled" what its stages are that had begun
local function stop(studio, left)
  for _, result in ipairs(studio.run) do
    if result.state == "running" then
      result.state = left
    elseif result.state == "waiting" then
      result.state = "cancelled"
    end
  end
end

local listening = false

local function listen()
  if listening then
    return
  end
  listening = true
  hear("generation_started", function(result, _, studio)
    for _, one in ipairs(studio.run) do
      one.ahead = nil
    end
    result.state = "running"
  end)
  hear("generation_progress", function(result, params, studio)
    for i = 1, params.stage_index or 0 do
      local before = studio.run[i]
      before.state = before.state == "waiting" and "done" or before.state
    end
    result.state, result.eta_sec = "running", params.eta_sec
    result.more_stages = (params.stage_index or 0) + 1 < (params.stages or 1)
    local done, total = params.current_step or 0, params.total_steps or 0
    if done > 0 and total > 0 then -- before the first step it may load its model
      result.percent = math.max(result.percent or 0, math.floor(100 * done / total))
    end
  end)
  events.on("backend_status", function()
    for _, studio in pairs(by_job) do
      marks.draw(studio)
    end
  end)
  hear("stage_complete", function(result, params)
    result.state, result.seconds, result.params = "done", params.seconds, params.params
    result.tracks = brief(params.tracks)
    result.latent_id = (params.latent_ids or {})[1]
    result.checkpoint_id = (params.checkpoint_ids or {})[1]
    result.checkpoint_step = params.params.checkpoint_step
    for _, track in ipairs(params.tracks) do
      state.remember(track.id, track.prompt)
    end
  end)
  hear("generation_error", function(result, params, studio)
    result.state, result.message = "failed", (params.message:gsub("^stages%[%d+%]: ", ""))
    stop(studio, "failed")
  end, true)
  hear("generation_cancelled", function(_, _, studio)
    stop(studio, "cancelled")
  end, true)
  hear("generation_complete", function(_, params, studio)
    for _, result in ipairs(studio.run) do
      result.state, result.cached = "done", params.cached
    end
    studio.run[#studio.run].tracks = brief(params.tracks)
  end, true)
end

--- A result for each stage, in their order; those before `from` keep what they have.
---@param studio lofi.studio.Studio
---@param from integer
---@return lofi.studio.Result[]
local function begin(studio, from)
  local lines = vim.api.nvim_buf_get_lines(studio.buffer, 0, -1, false)
  local blocks = stages.blocks(lines)
  local had = marks.match(studio, lines, blocks)
  local shared = marks.shared(lines, blocks)
  local results = {}
  for _, block in ipairs(stages.only(blocks, "stage")) do
    local kept = block.index < from and had[block.header]
    table.insert(results, kept or {
      state = block.index < from and "done" or "waiting",
      said = stages.said(lines, block),
      shared = shared,
      mark = marks.put(studio.buffer, block.header),
      tracks = {},
    })
  end
  return results
end

--- What is in the library already needs no stage to be run: the reply says which tracks they are.
---@param results lofi.studio.Result[]
---@param reply lofi.PipelineReply
local function take(results, reply)
  for _, stage in ipairs(reply.stages) do
    local result = results[stage.stage_index + 1]
    if result then
      result.params = result.params or stage.params
      result.ahead = reply.status == "queued" and reply.position or nil
      if reply.status == "cached" and (stage.params.preview or stage.stage_index == #results - 1) then
        result.tracks = vim.tbl_map(function(id)
          local known = names.track(id)
          result.latent_id = result.latent_id or known and known.latent_id
          return { id = id, duration_sec = stage.params.duration_sec, prompt = stage.params.prompt }
        end, stage.track_ids)
      end
    end
  end
end

--- Run what the buffer says.
---@param studio lofi.studio.Studio
---@param from? integer the first stage to be run, from 0: what those before it left is used again
function M.start(studio, from)
  listen()
  local text = table.concat(vim.api.nvim_buf_get_lines(studio.buffer, 0, -1, false), "\n")
  local run_before, job_before = studio.run, studio.job
  local results = begin(studio, from or 0)
  studio.run = results
  local accepted = false
  local job ---@type string
  job = require("lofi.jobs").pipeline({ toml = text, from_stage = from }, function(err)
    if err and not accepted and studio:is_open() then
      by_job[job] = nil
      if studio.job == job then -- what runs already goes on
        studio.run, studio.job = run_before, job_before
      end
      diagnose.show(studio, err)
      marks.draw(studio)
      words.complain(err)
    end
  end, function(reply)
    accepted = true
    by_job[job] = nil
    job = reply.job_id -- the same may be under way already
    by_job[job], studio.job = studio, job
    take(results, reply)
    require("lofi.progress").accepted(reply)
    marks.draw(studio)
  end)
  by_job[job], studio.job = studio, job
  marks.draw(studio)
end

--- End the latest run, or one before it that goes on.
---@param studio lofi.studio.Studio
function M.cancel(studio)
  local job = studio.job
    or vim.iter(pairs(by_job)):find(function(_, of_job)
      return of_job == studio
    end)
  if job then
    require("lofi").cancel(job, words.or_complain(function() end))
  else
    words.say("it does not run.")
  end
end

return M
