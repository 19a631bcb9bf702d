--- The statusline's text, from what is known already: nothing is asked and nothing is waited for.
local config = require("lofi.config")
local message = require("lofi.message")
local state = require("lofi.state")
local time = require("lofi.time")

local M = {}

local REDRAW_MS = 100
local TICK_MS = 1000

local playing ---@type string? icon and title, or nil when the state changed since
local used = true -- somebody showed it since the last redraw; at first that is unknown
local redraw_due = false
local ticker ---@type uv.uv_timer_t?

--- The first words of a prompt, cut to the width that setup() allows.
---@param prompt string
---@return string
local function title(prompt)
  local words = vim.trim(prompt:match("^[^,;\n]*"))
  return message.cut(words, config.current["statusline.max_title"], config.current.ascii and "" or nil)
end

---@param now lofi.State
---@return string
local function now_playing(now)
  if not playing then
    local icon = config.current[now.playback.state == "paused" and "icons.paused" or "icons.playing"]
    playing = icon .. " " .. title(state.name(now.playback.track_id))
  end
  return playing .. " " .. time.clock(state.position())
end

---@param job lofi.Job
---@return string
local function generating(job)
  local eta = job.eta_sec and " " .. time.clock(math.ceil(job.eta_sec)) or ""
  return ("%s %d%%%s"):format(config.current["icons.generating"], job.percent, eta)
end

--- A focus is shown in whole minutes, and in seconds when it is nearly over.
---@param focus lofi.Focus
---@return string
local function focusing(focus)
  local left = state.seconds_until(focus.ends_at)
  local icon = config.current[focus.phase == "break" and "icons.recess" or "icons.focus"]
  return ("%s %s"):format(icon, left >= 60 and ("%dm"):format(math.ceil(left / 60)) or time.clock(left))
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

--- The text: "♪ rainy night 1:02 ∞", "lofi 45% 0:03", "focus 12m", several of these, or "" when nothing goes on.
---@return string
function M.text()
  local now = state.current
  if not used then
    used = true
    if moves(now) then
      ticker = ticker or assert(vim.uv.new_timer())
      if not ticker:is_active() then
        ticker:start(TICK_MS, TICK_MS, vim.schedule_wrap(tick))
      end
    end
  end
  local text = now.playback.state ~= "stopped" and now_playing(now) or ""
  local function add(more)
    text = text == "" and more or text .. " " .. more
  end
  -- Beside music, only what this editor asked for: the radio always makes its next track.
  local job = state.own_job() or text == "" and now.jobs[1] or nil
  if job then
    add(generating(job))
  end
  if now.radio then
    add(config.current["icons.radio"])
  end
  if now.focus then
    add(focusing(now.focus))
  end
  return text
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
