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

---@param now lofi.State
---@return string
local function generating(now)
  local job = state.running() or now.jobs[1]
  local eta = job.eta_sec and " " .. time.clock(math.ceil(job.eta_sec)) or ""
  return ("%s %d%%%s"):format(config.current["icons.generating"], job.percent, eta)
end

local function redraw()
  if used then
    used = false
    vim.cmd.redrawstatus({ bang = true })
  end
end

--- A playing clock has to move; it costs nothing where no statusline shows it.
local function tick()
  if state.current.playback.state ~= "playing" or not used then
    ticker:stop()
    return
  end
  redraw()
end

--- The text: "♪ rainy night 1:02", "lofi 45% 0:03", both, or "" when nothing goes on.
---@return string
function M.text()
  local now = state.current
  local music = now.playback.state ~= "stopped"
  if not used then
    used = true
    if now.playback.state == "playing" then
      ticker = ticker or assert(vim.uv.new_timer())
      if not ticker:is_active() then
        ticker:start(TICK_MS, TICK_MS, vim.schedule_wrap(tick))
      end
    end
  end
  if not music then
    return now.jobs[1] and generating(now) or ""
  end
  return now.jobs[1] and now_playing(now) .. " " .. generating(now) or now_playing(now)
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
