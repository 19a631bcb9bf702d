--- What the daemon last said of itself, so that a statusline or a completion never has to ask.
local M = {}

---@class lofi.Playback
---@field state "stopped"|"playing"|"paused"
---@field track_id? string
---@field position_sec number at `since`
---@field since integer vim.uv.hrtime()
---@field duration_sec? number

---@class lofi.Job
---@field id string
---@field track_id? string
---@field prompt string
---@field state "queued"|"generating"
---@field position? integer of a queued one
---@field percent integer
---@field eta_sec? number

---@class lofi.State
---@field playback lofi.Playback
---@field jobs lofi.Job[] in the order they were asked for
---@field volume? number 0–1
---@field backends? table[]
---@field default_backend? string
---@field daemon? { version: string, pid: integer, protocol: integer }

local KNOWN_TRACKS = 500

---@return lofi.State
local function fresh()
  return {
    playback = { state = "stopped", position_sec = 0, since = 0 },
    jobs = {},
  }
end

M.current = fresh()

--- Prompts of tracks by id, newest last in `order`; survives the daemon, whose library does too.
local titles = {} ---@type table<string, string>
local order = {} ---@type string[]

--- Called with nothing after each change.
---@type fun()
M.on_change = function() end

--- Prompts are shown where only one line has room.
---@param prompt string
---@return string
local function one_line(prompt)
  return (vim.trim(prompt):gsub("[%s%c]+", " "))
end

---@param id string?
---@param prompt string?
function M.remember(id, prompt)
  if not id or not prompt or titles[id] then
    return
  end
  titles[id] = one_line(prompt)
  order[#order + 1] = id
  if #order > KNOWN_TRACKS then
    titles[table.remove(order, 1)] = nil
  end
end

--- The prompt of a track, if it was heard of.
---@param id string?
---@return string?
function M.title(id)
  return id and titles[id]
end

--- What to call a track: its prompt, or the beginning of its id.
---@param id string?
---@return string
function M.name(id)
  return M.title(id) or (id or ""):sub(1, 12)
end

--- Ids of the tracks heard of, newest first.
---@return string[]
function M.known_tracks()
  return vim.iter(order):rev():totable()
end

---@param id string?
---@return lofi.Job?
function M.job(id)
  for _, job in ipairs(M.current.jobs) do
    if job.id == id then
      return job
    end
  end
end

--- The job that is being generated, if any.
---@return lofi.Job?
function M.running()
  for _, job in ipairs(M.current.jobs) do
    if job.state == "generating" then
      return job
    end
  end
end

--- Seconds into the track, from the clock since the last word of the daemon.
---@return number
function M.position()
  local playback = M.current.playback
  if playback.state ~= "playing" then
    return playback.position_sec
  end
  local position = playback.position_sec + (vim.uv.hrtime() - playback.since) / 1e9
  return playback.duration_sec and math.min(position, playback.duration_sec) or position
end

--- Note a job before the daemon knows of it, so that its notifications find it.
---@param id string
---@param prompt string
function M.add_job(id, prompt)
  if not M.job(id) then
    table.insert(M.current.jobs, { id = id, prompt = one_line(prompt), state = "queued", percent = 0 })
    M.on_change()
  end
end

---@param id string
function M.drop_job(id)
  for i, job in ipairs(M.current.jobs) do
    if job.id == id then
      table.remove(M.current.jobs, i)
      M.on_change()
      return
    end
  end
end

---@param state "stopped"|"playing"|"paused"
---@param params table
local function set_playback(state, params)
  local old = M.current.playback
  M.current.playback = {
    state = state,
    track_id = params.track_id or old.track_id,
    position_sec = params.position_sec or M.position(),
    duration_sec = params.duration_sec or old.duration_sec,
    since = vim.uv.hrtime(),
  }
end

---@type table<string, fun(params: table)>
local apply = {
  generation_started = function(params)
    M.remember(params.track_id, params.prompt)
    M.add_job(params.job_id, params.prompt or "")
    local job = assert(M.job(params.job_id))
    job.state, job.track_id = "generating", params.track_id
  end,
  generation_progress = function(params)
    local job = M.job(params.job_id)
    if job then
      job.state = "generating"
      job.percent = math.max(job.percent, params.percent or 0)
      job.eta_sec = params.eta_sec
    end
  end,
  generation_complete = function(params)
    M.remember(params.track_id, params.prompt)
    for _, track in ipairs(params.tracks or {}) do
      M.remember(track.id, track.prompt)
    end
    M.drop_job(params.job_id)
  end,
  generation_error = function(params)
    M.drop_job(params.job_id)
  end,
  generation_cancelled = function(params)
    M.drop_job(params.job_id)
  end,
  playback_started = function(params)
    set_playback("playing", vim.tbl_extend("keep", params, { position_sec = 0 }))
  end,
  playback_paused = function(params)
    set_playback("paused", params)
  end,
  playback_resumed = function(params)
    set_playback("playing", params)
  end,
  playback_ended = function()
    M.current.playback = fresh().playback
  end,
  volume_changed = function(params)
    M.current.volume = params.level
  end,
}

--- Take in a notification.
---@param method string
---@param params table
function M.apply(method, params)
  if apply[method] then
    apply[method](params)
    M.on_change()
  end
end

--- Take in what the daemon says at its start.
---@param change fun(state: lofi.State)
function M.update(change)
  change(M.current)
  M.on_change()
end

--- The daemon is gone, and with it all but the titles.
function M.reset()
  M.current = fresh()
  M.on_change()
end

return M
