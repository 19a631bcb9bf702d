--- :LofiPlay and the other commands that steer what plays.
local time = require("lofi.time")
local words = require("lofi.command.words")

local say = words.say

local NOTHING = "nothing is playing; :LofiPlay, :LofiRadio or :LofiGenerate starts something."

---@param done string what is said when it worked
---@param nothing? string what is said when nothing plays then
---@return lofi.PlaybackCallback
local function after_playback(done, nothing)
  return words.or_complain(function(result)
    if result.state == "no_device" then
      say(result.message or "there is no sound device; everything but playback works.", words.WARN)
    elseif result.state == "waiting" then
      say(result.message or "waiting for a sound device.", words.WARN)
    elseif result.state == "stopped" and done ~= "stopped" then
      say(nothing or NOTHING)
    elseif done == "playing" then
      say(("playing %s"):format(words.name_of(result.track_id)))
    else
      say(done)
    end
  end)
end

---@param sub string
---@param done string
---@param nothing? string
---@return lofi.Subcommand
local function plain(sub, done, nothing)
  return {
    run = function(args)
      if words.takes_nothing(sub, args) then
        require("lofi")[sub](after_playback(done, nothing))
      end
    end,
  }
end

---@param level number
local function say_volume(level)
  say(("volume %d %%"):format(math.floor(level * 100 + 0.5)))
end

--- "40" sets, "+5" and "-5" change, "" asks. In percent: 1 could otherwise be all or nearly nothing.
---@param args string
local function volume(args)
  local lofi = require("lofi")
  local told = words.or_complain(function(result)
    say_volume(result.level)
  end)
  local sign, digits = args:match("^([+-]?)(%d+)%%?$")
  local percent = tonumber(digits)
  if args == "" then
    lofi.volume(nil, told)
  elseif percent and sign ~= "" then
    lofi.volume(
      nil,
      words.or_complain(function(result)
        local level = result.level + (sign == "+" and percent or -percent) / 100
        lofi.volume(math.max(0, math.min(1, level)), told)
      end)
    )
  elseif percent and percent <= 100 then
    lofi.volume(percent / 100, told)
  else
    say(
      ("the volume is a whole number of percent, 0 to 100, or a change such as +5, not %s."):format(args),
      words.ERROR
    )
  end
end

---@param args string
local function seek(args)
  require("lofi").seek(args, function(err, result)
    if err or result.state == "no_device" or result.state == "stopped" then
      after_playback("playing")(err, result)
    else
      say(("at %s of %s"):format(time.clock(result.position_sec or 0), time.clock(result.duration_sec or 0)))
    end
  end)
end

---@param args string
local function crossfade(args)
  local seconds = tonumber((args:gsub("s$", "")))
  if args ~= "" and not seconds then
    say(("the crossfade is a number of seconds, 0 to 30, not %s."):format(args), words.ERROR)
    return
  end
  require("lofi").crossfade(
    seconds,
    words.or_complain(function(result)
      local now = result.crossfade_sec or 0 -- the daemon leaves out what is zero
      say(now == 0 and "tracks follow each other without a gap" or ("crossfade %g s"):format(now))
    end)
  )
end

---@type table<string, lofi.Subcommand>
return {
  play = {
    run = function(args)
      require("lofi").play(args ~= "" and args or nil, after_playback("playing"))
    end,
    complete = words.complete_track,
  },
  pause = plain("pause", "paused"),
  resume = plain("resume", "playing"),
  toggle = {
    run = function(args)
      if words.takes_nothing("toggle", args) then
        require("lofi").toggle(function(err, result)
          after_playback(result and result.state or "")(err, result)
        end)
      end
    end,
  },
  stop = plain("stop", "stopped"),
  skip = plain("skip", "playing", "the playlist has no next track."),
  previous = plain("previous", "playing", "the playlist has no track before."),
  seek = {
    run = seek,
    complete = words.one_of({ "+10", "-10", "0:00" }),
  },
  volume = {
    run = volume,
    complete = words.one_of({ "0", "25", "50", "75", "100", "+5", "-5" }),
  },
  crossfade = {
    run = crossfade,
    complete = words.one_of({ "0", "2", "4", "6", "8", "12" }),
  },
}
