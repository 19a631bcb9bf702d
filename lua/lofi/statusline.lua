--- What goes on, for a statusline: from what is known already, so that nothing is asked and nothing is waited for.
local config = require("lofi.config")
local message = require("lofi.message")
local state = require("lofi.state")
local time = require("lofi.time")

local M = {}

local REDRAW_MS = 100
local TICK_MS = 1000

---@class lofi.StatuslineOpts
---@field escape? boolean double percent signs, for places that expand statusline items
---@field icons? table<string, string> instead of those of setup(): playing, paused, generating, radio, focus, recess,
---error

--- All of it, for statuslines that draw themselves.
---@class lofi.Info
---@field state "stopped"|"playing"|"paused"|"generating"|"downloading"|"error" the first of error, playing or paused,
---generating, downloading that holds
---@field text string as statusline() says it
---@field icon string of the state; "" when nothing goes on or a download is all there is
---@field title? string of what plays, whole
---@field track_id? string
---@field position_sec? number
---@field duration_sec? number
---@field prompt? string of what is generated, whole
---@field percent? integer of the generation
---@field eta_sec? number of the generation
---@field radio boolean
---@field focus? { phase: "work"|"break", ends_in_sec: number, round: integer, rounds?: integer }
---@field sleep_in_sec? number
---@field volume? number 0–1
---@field downloading? { backend: string, percent: integer, eta_sec?: number }
---@field error? string why the last thing failed, one sentence; for ten seconds, or until the next one is asked for

local playing ---@type string? the title of what plays, or nil when the state changed since
local used = true -- somebody showed it since the last redraw; at first that is unknown
local redraw_due = false
local ticker ---@type uv.uv_timer_t?

---@param name string
---@param icons? table<string, string>
---@return string
local function icon(name, icons)
  return icons and icons[name] or config.current["icons." .. name]
end

--- The first words of a prompt, cut to the width that setup() allows.
---@param prompt string
---@return string
local function title(prompt)
  local words = vim.trim(prompt:match("^[^,;\n]*"))
  return message.cut(words, config.current["statusline.max_title"], config.current.ascii and "" or nil)
end

---@param now lofi.State
---@param icons? table<string, string>
---@return string
local function now_playing(now, icons)
  playing = playing or title(state.name(now.playback.track_id))
  local mark = icon(now.playback.state == "paused" and "paused" or "playing", icons)
  return mark .. " " .. playing .. " " .. time.clock(state.position())
end

---@param seconds? number
---@return string
local function remaining(seconds)
  return seconds and " " .. time.clock(math.ceil(seconds)) or ""
end

--- A focus is shown in whole minutes, and in seconds when it is nearly over.
---@param focus lofi.Focus
---@param icons? table<string, string>
---@return string
local function focusing(focus, icons)
  local left = state.seconds_until(focus.ends_at)
  local mark = icon(focus.phase == "break" and "recess" or "focus", icons)
  return ("%s %s"):format(mark, left >= 60 and ("%dm"):format(math.ceil(left / 60)) or time.clock(left))
end

--- The job to tell of. Beside music, only what this editor asked for: the radio always makes its next track.
---@param now lofi.State
---@return lofi.Job?
local function told_job(now)
  return state.own_job() or now.playback.state == "stopped" and now.jobs[1] or nil
end

--- Whether the text changes by itself.
---@param now lofi.State
---@return boolean
local function moves(now)
  return now.playback.state == "playing" or now.focus ~= nil
end

local function redraw()
  if used then
    used = false
    vim.cmd.redrawstatus({ bang = true })
  end
end

--- A playing clock has to move; it costs nothing where no statusline shows it.
local function tick()
  if not moves(state.current) or not used then
    ticker:stop()
    return
  end
  redraw()
end

--- Somebody shows it: from now on it is drawn again when it changes.
---@param now lofi.State
local function watch(now)
  if used then
    return
  end
  used = true
  if moves(now) then
    ticker = ticker or assert(vim.uv.new_timer())
    if not ticker:is_active() then
      ticker:start(TICK_MS, TICK_MS, vim.schedule_wrap(tick))
    end
  end
end

--- The text: "♪ rainy night 1:02 ∞", "lofi 45% 0:03", "focus 12m", several of these, or "" when nothing goes on.
---@param opts? lofi.StatuslineOpts
---@return string
function M.text(opts)
  local now, icons = state.current, opts and opts.icons
  watch(now)
  local text = now.playback.state ~= "stopped" and now_playing(now, icons) or ""
  local function add(more)
    text = text == "" and more or text .. " " .. more
  end
  local job = told_job(now)
  if job then
    add(("%s %d%%%s"):format(icon("generating", icons), job.percent, remaining(job.eta_sec)))
  end
  local _, download = next(now.downloads)
  if download then
    add(("%s %d%%%s"):format(download.backend, download.overall_percent, remaining(download.eta_sec)))
  end
  if now.radio then
    add(icon("radio", icons))
  end
  if now.focus then
    add(focusing(now.focus, icons))
  end
  if now.problem then
    add(icon("error", icons) .. " " .. title(now.problem.title))
  end
  return opts and opts.escape and (text:gsub("%%", "%%%%")) or text
end

--- What matters most now.
---@return "stopped"|"playing"|"paused"|"generating"|"downloading"|"error"
function M.state()
  local now = state.current
  if now.problem then
    return "error"
  elseif now.playback.state ~= "stopped" then
    return now.playback.state
  elseif told_job(now) then
    return "generating"
  end
  return next(now.downloads) and "downloading" or "stopped"
end

---@param opts? lofi.StatuslineOpts
---@return lofi.Info
function M.info(opts)
  local now, what = state.current, M.state()
  local info = { state = what, text = M.text(opts), icon = "", radio = now.radio ~= nil, volume = now.volume }
  if what ~= "stopped" and what ~= "downloading" then
    info.icon = icon(what, opts and opts.icons)
  end
  if now.playback.state ~= "stopped" then
    info.track_id, info.title = now.playback.track_id, state.name(now.playback.track_id)
    info.position_sec, info.duration_sec = state.position(), now.playback.duration_sec
  end
  local job = told_job(now)
  if job then
    info.prompt, info.percent, info.eta_sec = job.prompt, job.percent, job.eta_sec
  end
  if now.focus then
    info.focus = {
      phase = now.focus.phase,
      ends_in_sec = state.seconds_until(now.focus.ends_at),
      round = now.focus.round,
      rounds = now.focus.rounds,
    }
  end
  info.sleep_in_sec = now.sleep_at and state.seconds_until(now.sleep_at)
  local _, download = next(now.downloads)
  if download then
    info.downloading = {
      backend = download.backend,
      percent = download.overall_percent,
      eta_sec = download.eta_sec,
    }
  end
  info.error = now.problem and now.problem.message
  return info
end

--- The state changed: draw again soon, once for many changes.
function M.refresh()
  playing = nil
  if used and not redraw_due then
    redraw_due = true
    vim.defer_fn(function()
      redraw_due = false
      redraw()
    end, REDRAW_MS)
  end
end

return M
