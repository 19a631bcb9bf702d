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

---@class lofi.Focus
---@field phase "work"|"break"
---@field ends_at integer vim.uv.hrtime() at which the phase ends
---@field round integer
---@field rounds? integer

--- A download that runs; doc/PROTOCOL.md, `download_progress`.
---@class lofi.Download
---@field backend string
---@field model string
---@field component string
---@field component_percent integer
---@field overall_percent integer
---@field bytes_downloaded integer
---@field bytes_total integer
---@field bytes_per_sec? number
---@field eta_sec? number
---@field file_name string
---@field files_completed integer
---@field files_total integer

--- What failed last, for as long as it is news.
---@class lofi.Problem
---@field title string what it was, in few words
---@field message string one sentence

---@class lofi.State
---@field playback lofi.Playback
---@field problem? lofi.Problem
---@field downloads table<string, lofi.Download> by backend
---@field loading? { backend: string, model: string } what the running job waits for
---@field jobs lofi.Job[] in the order they were asked for
---@field waiting? integer jobs that wait, those of other editors too
---@field playlist? lofi.Playlist
---@field radio? lofi.RadioState while it is on
---@field focus? lofi.Focus while it is on
---@field sleep_at? integer vim.uv.hrtime() at which the music ends
---@field presets? lofi.Preset[]
---@field volume? number 0–1
---@field backends? table[]
---@field default_backend? string
---@field daemon? { version: string, pid: integer, protocol: integer, shared?: boolean, log?: string }

local KNOWN_TRACKS = 500
local KNOWN_LATENTS = 50
local NEWS_MS = 10000

--- Nothing plays.
---@return lofi.Playback
function M.silence()
  return { state = "stopped", position_sec = 0, since = 0 }
end

---@return lofi.State
local function fresh()
  return {
    playback = M.silence(),
    jobs = {},
    downloads = {},
  }
end

M.current = fresh()

--- Prompts of tracks by id, newest last in `order`; survives the daemon, whose library does too.
local titles = {} ---@type table<string, string>
local order = {} ---@type string[]

local latents = {} ---@type string[] ids, newest first

--- Ids of the jobs that this editor asked for; the others are the radio's and those of other editors. Not
--- forgotten at their end, when listeners still ask.
local own = {} ---@type table<string, true>

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

--- A latent or checkpoint that was heard of.
---@param id string?
function M.remember_latent(id)
  if id and not vim.list_contains(latents, id) then
    table.insert(latents, 1, id)
    latents[KNOWN_LATENTS + 1] = nil
  end
end

---@return string[] newest first
function M.known_latents()
  return latents
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

--- The job of this editor that is nearest to its end, if any.
---@return lofi.Job?
function M.own_job()
  local running, first = M.running(), nil
  for _, job in ipairs(M.current.jobs) do
    first = first or M.is_own(job.id) and job or nil
  end
  return running and M.is_own(running.id) and running or first
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

--- Note what failed. It is forgotten after a while, and when the user goes on to something else.
---@param title string
---@param message string
function M.fail(title, message)
  local problem = { title = one_line(title), message = one_line(message) }
  M.current.problem = problem
  M.on_change()
  vim.defer_fn(function()
    if M.current.problem == problem then
      M.current.problem = nil
      M.on_change()
    end
  end, NEWS_MS)
end

--- Note a job before the daemon knows of it, so that its notifications find it.
---@param id string
---@param prompt string
---@param ours? boolean this editor asked for it
function M.add_job(id, prompt, ours)
  own[id] = own[id] or ours
  if ours then
    M.current.problem = nil
  end
  if not M.job(id) then
    table.insert(M.current.jobs, { id = id, prompt = one_line(prompt), state = "queued", percent = 0 })
    M.on_change()
  end
end

--- Whether this editor asked for the job.
---@param id string
---@return boolean
function M.is_own(id)
  return own[id] == true
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

--- Seconds until that reading of vim.uv.hrtime().
---@param at integer
---@return number
function M.seconds_until(at)
  return math.max(0, (at - vim.uv.hrtime()) / 1e9)
end

--- Take in what the daemon says at its start.
---@param change fun(state: lofi.State)
function M.update(change)
  change(M.current)
  M.on_change()
end

--- The daemon is gone, and with it all but the titles and the news of it.
function M.reset()
  local problem = M.current.problem
  M.current = fresh()
  M.current.problem = problem
  M.on_change()
end

return M
