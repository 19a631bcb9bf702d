--- A line of the library: marks and figures in columns of fixed width, then the whole prompt. What is cut off by the
--- window's edge can still be searched, and no line changes with the window.
local config = require("lofi.config")
local state = require("lofi.state")
local time = require("lofi.time")

local M = {}

local MINUTE, HOUR, DAY, WEEK, MONTH, YEAR = 60, 3600, 86400, 7 * 86400, 30 * 86400, 365 * 86400

---@class lofi.library.Look icons, each padded to the width of its column
---@field playing string
---@field paused string
---@field still string
---@field favorite string
---@field plain string
---@field latent string
---@field none string

---@param text string
---@param width integer in columns of the screen
---@return string
local function pad(text, width)
  return text .. (" "):rep(width - vim.fn.strdisplaywidth(text))
end

--- The icons of setup().
---@return lofi.library.Look
function M.look()
  local icons = {}
  for _, name in ipairs({ "playing", "paused", "favorite", "latent" }) do
    icons[name] = config.current["icons." .. name]
  end
  local width = vim.fn.strdisplaywidth
  local mark = math.max(width(icons.playing), width(icons.paused))
  return {
    playing = pad(icons.playing, mark),
    paused = pad(icons.paused, mark),
    still = (" "):rep(mark),
    favorite = icons.favorite,
    plain = (" "):rep(width(icons.favorite)),
    latent = icons.latent,
    none = (" "):rep(width(icons.latent)),
  }
end

--- How long ago: "now", "5 min", "3 h", "2 d", "4 w", "7 mo", "2 y".
---@param seconds number
---@return string
function M.age(seconds)
  if seconds < MINUTE then
    return "now"
  elseif seconds < HOUR then
    return ("%d min"):format(seconds / MINUTE)
  elseif seconds < DAY then
    return ("%d h"):format(seconds / HOUR)
  elseif seconds < 2 * WEEK then
    return ("%d d"):format(seconds / DAY)
  elseif seconds < 3 * MONTH then
    return ("%d w"):format(seconds / WEEK)
  elseif seconds < YEAR then
    return ("%d mo"):format(seconds / MONTH)
  end
  return ("%d y"):format(seconds / YEAR)
end

--- "playing" or "paused" where it is this track.
---@param id string
---@return string?
function M.playback_of(id)
  local now = state.current.playback
  return now.track_id == id and now.state ~= "stopped" and now.state or nil
end

---@param entry lofi.library.Entry
---@param look lofi.library.Look
---@param now integer seconds since the epoch
---@return string mark, string favorite, string latent, string length, string backend, string age
local function columns(entry, look, now)
  return look[M.playback_of(entry.id) or "still"] or look.still,
    entry.favorite and look.favorite or look.plain,
    entry.latent and look.latent or look.none,
    ("%5s"):format(time.clock(entry.duration_sec)),
    ("%-11s"):format(entry.backend),
    ("%6s"):format(M.age(now - entry.made))
end

--- The line of a track.
---@param entry lofi.library.Entry
---@param look lofi.library.Look
---@param now integer
---@return string
function M.text(entry, look, now)
  local mark, favorite, latent, length, backend, age = columns(entry, look, now)
  return mark
    .. " "
    .. favorite
    .. latent
    .. " "
    .. length
    .. "  "
    .. backend
    .. " "
    .. age
    .. "  "
    .. entry.title
end

--- The colours of that line.
---@param entry lofi.library.Entry
---@param look lofi.library.Look
---@param now integer
---@return lofi.ui.Paint[]
function M.paint(entry, look, now)
  local mark, favorite, latent, length, backend, age = columns(entry, look, now)
  local playback = M.playback_of(entry.id)
  local group = playback == "playing" and "LofiPlaying" or playback == "paused" and "LofiPaused" or nil
  local spans, at = {}, 0
  local function add(text, name, gap)
    if name then
      spans[#spans + 1] = { at, at + #text, name }
    end
    at = at + #text + gap
  end
  add(mark, group, 1)
  add(favorite, "LofiFavorite", 0)
  add(latent, "LofiLatent", 1)
  add(length, "LofiTime", 2)
  add(backend, "LofiBackend", 1)
  add(age, "LofiAge", 2)
  add(entry.title, group, 0)
  return spans
end

--- The line of a job that runs or waits, in the same columns: percent, and the rest of its time.
---@param job lofi.Job
---@param look lofi.library.Look
---@return string
function M.job_text(job, look)
  local runs = job.state == "generating"
  local blank = look.still .. " " .. look.plain .. look.none .. " "
  local percent = runs and ("%3d %%"):format(job.percent) or ""
  local rest = runs and job.eta_sec and time.clock(math.ceil(job.eta_sec)) or ""
  return blank .. ("%5s  %-11s %6s  "):format(percent, runs and "generating" or "waiting", rest) .. job.prompt
end

return M
