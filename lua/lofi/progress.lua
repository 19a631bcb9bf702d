--- Progress of what this editor asked for: one line at the bottom of the screen, updated in place. What the radio
--- or another editor has made is not told here.
local config = require("lofi.config")
local events = require("lofi.events")
local message = require("lofi.message")
local state = require("lofi.state")
local time = require("lofi.time")

local M = {}

local BAR_CELLS = 14
local TITLE_COLUMNS = 40

---@param percent integer
---@return string
local function bar(percent)
  local done = math.floor(percent / 100 * BAR_CELLS + 0.5)
  if config.current.ascii then
    return "[" .. ("#"):rep(done) .. ("-"):rep(BAR_CELLS - done) .. "]"
  end
  return ("█"):rep(done) .. ("░"):rep(BAR_CELLS - done)
end

--- The line for `job`.
---@param job lofi.Job
---@return string
function M.line(job)
  local parts = { ("lofi %2d%%"):format(job.percent), bar(job.percent), job.prompt }
  local line = table.concat(parts, " ")
  local notes = {}
  if job.eta_sec then
    table.insert(notes, time.clock(math.ceil(job.eta_sec)) .. " left")
  end
  local others = #state.current.jobs - 1
  if others > 0 then
    table.insert(notes, others .. " waiting")
  end
  local tail = #notes > 0 and " (" .. table.concat(notes, ", ") .. ")" or ""
  return message.fit(line, tail) -- the prompt may be cut, what changes may not
end

local shown = ""

---@param job lofi.Job?
local function show(job)
  if config.current.progress == "none" or not job or not message.progress_may_show() then
    return
  end
  local line = M.line(job)
  if line ~= shown then
    shown = line
    message.show(line)
  end
end

---@param prompt string?
---@return string
local function quoted(prompt)
  prompt = message.cut(prompt or "", TITLE_COLUMNS)
  return config.current.ascii and ('"%s"'):format(prompt) or ("“%s”"):format(prompt)
end

local function on_progress(params)
  show(state.job(params.job_id))
end

local function on_complete(params)
  shown = ""
  if config.current.progress == "none" then
    return
  end
  local took = params.cached and "from the library" or ("in %.1f s"):format(params.generation_time_sec or 0)
  local more = #(params.tracks or {}) > 1 and (", %d tracks"):format(#params.tracks) or ""
  message.say(
    ("done %s%s, %s %s, :LofiPlay %s"):format(
      quoted(params.prompt),
      more,
      time.clock(params.duration_sec or 0),
      took,
      (params.track_id or ""):sub(1, 12)
    )
  )
end

local function on_error(params)
  shown = ""
  -- the end of the daemon is one message, not one for each job
  if params.code ~= "DAEMON_EXITED" then
    message.say(params.message or tostring(params.code), vim.log.levels.ERROR)
  end
end

local function on_cancelled()
  shown = ""
  if config.current.progress ~= "none" then
    message.say("cancelled.")
  end
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
end

return M
