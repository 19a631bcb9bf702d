--- What the daemon tells, taken into lofi.state.
local state = require("lofi.state")

local M = {}

---@param how "stopped"|"playing"|"paused"
---@param params table
local function set_playback(how, params)
  local old = state.current.playback
  state.current.playback = {
    state = how,
    track_id = params.track_id or old.track_id,
    position_sec = params.position_sec or state.position(),
    duration_sec = params.duration_sec or old.duration_sec,
    since = vim.uv.hrtime(),
  }
end

--- The reading of vim.uv.hrtime() in so many seconds.
---@param seconds number
---@return integer
local function moment(seconds)
  return vim.uv.hrtime() + math.floor(seconds * 1e9)
end

---@type table<string, fun(params: table)>
local apply = {
  generation_started = function(params)
    state.remember(params.track_id, params.prompt)
    state.add_job(params.job_id, params.prompt or "")
    local job = assert(state.job(params.job_id))
    job.state, job.track_id = "generating", params.track_id
  end,
  generation_progress = function(params)
    local job = state.job(params.job_id)
    if job then
      job.state = "generating"
      job.percent = math.max(job.percent, params.percent or 0)
      job.eta_sec = params.eta_sec
    end
  end,
  generation_complete = function(params)
    state.remember(params.track_id, params.prompt)
    for _, track in ipairs(params.tracks or {}) do
      state.remember(track.id, track.prompt)
    end
    state.remember_latent(params.latent_checkpoint_id)
    state.remember_latent(params.latent_id)
    state.drop_job(params.job_id)
  end,
  generation_error = function(params)
    local job = state.job(params.job_id)
    state.drop_job(params.job_id)
    if state.is_own(params.job_id) then
      state.fail(job and job.prompt or state.name(params.track_id), params.message or tostring(params.code))
    end
  end,
  generation_cancelled = function(params)
    state.drop_job(params.job_id)
  end,
  playback_started = function(params)
    state.current.problem = nil
    set_playback("playing", vim.tbl_extend("keep", params, { position_sec = 0 }))
  end,
  playback_paused = function(params)
    set_playback("paused", params)
  end,
  playback_resumed = function(params)
    set_playback("playing", params)
  end,
  playback_ended = function(params)
    local now = state.current.playback.track_id
    if not params.track_id or params.track_id == now then -- in a crossfade the next one plays already
      state.current.playback = state.silence()
    end
  end,
  playback_seeked = function(params)
    set_playback(state.current.playback.state, params)
  end,
  backend_status = function(params)
    for _, backend in ipairs(state.current.backends or {}) do
      if backend.type == params.backend then
        backend.status, backend.message = params.status, params.message
      end
    end
    local now = state.current
    if params.status == "loading" then
      now.loading = { backend = params.backend, model = params.model }
    elseif now.loading and now.loading.backend == params.backend then
      now.loading = nil
    end
    local download = now.downloads[params.backend]
    if params.status ~= "downloading" and download and download.model == params.model then
      now.downloads[params.backend] = nil
    end
  end,
  download_progress = function(params)
    state.current.downloads[params.backend] = params
  end,
  queue_changed = function(params)
    state.current.waiting = params.pending
  end,
  volume_changed = function(params)
    state.current.volume = params.level
  end,
  playlist_changed = function(params)
    for _, track in ipairs(params.tracks or {}) do
      state.remember(track.track_id, track.prompt)
    end
    state.current.playlist = params
  end,
  radio_changed = function(params)
    state.current.radio = params.active and params or nil
  end,
  focus_changed = function(params)
    state.current.focus = params.active
        and {
          phase = params.phase,
          ends_at = moment(params.ends_in_sec or 0),
          round = params.round,
          rounds = params.rounds,
        }
      or nil
  end,
  sleep_changed = function(params)
    state.current.sleep_at = params.ends_in_sec and moment(params.ends_in_sec)
  end,
}

--- Take in a notification.
---@param method string
---@param params table
function M.apply(method, params)
  if apply[method] then
    apply[method](params)
    state.on_change()
  end
end

--- Take in the whole status of a daemon that may have been at work before this editor came.
---@param status table
function M.join(status)
  local now = status.playback or {}
  if now.state == "playing" or now.state == "paused" or now.state == "waiting" then
    set_playback(now.state == "playing" and "playing" or "paused", now) -- events tell of waiting as a pause, too
  end
  if status.sleep then
    apply.sleep_changed(status.sleep)
  end
  if status.focus then
    apply.focus_changed(status.focus)
  end
  if status.radio then
    apply.radio_changed(status.radio)
  end
  local jobs = vim.list_extend({ status.generation }, status.queue and status.queue.pending or {})
  for _, view in ipairs(jobs) do
    state.remember(view.track_id, view.prompt)
    state.add_job(view.job_id, view.prompt)
    local job = assert(state.job(view.job_id))
    job.track_id, job.position, job.eta_sec = view.track_id, view.position, view.eta_sec
    job.state = view == status.generation and "generating" or "queued"
    job.percent = math.max(job.percent, view.percent or 0)
  end
  state.current.waiting = status.queue and #(status.queue.pending or {}) or nil
  state.on_change()
end

return M
