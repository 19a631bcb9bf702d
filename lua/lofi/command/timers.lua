--- :LofiSleep and :LofiFocus.
local state = require("lofi.state")
local time = require("lofi.time")
local words = require("lofi.command.words")

local say = words.say

---@param seconds number?
local function say_sleep(seconds)
  say(seconds and ("the music ends in %s"):format(time.clock(seconds)) or "the sleep timer is off")
end

---@param args string
local function sleep(args)
  local minutes = tonumber(args)
  if args == "" then
    local at = state.current.sleep_at
    say_sleep(at and state.seconds_until(at))
  elseif args == "off" or minutes then
    require("lofi").sleep(
      minutes,
      words.or_complain(function(result)
        say_sleep(result.ends_in_sec)
      end)
    )
  else
    say(("the sleep timer takes minutes or off, not %s."):format(args), words.ERROR)
  end
end

---@param focus lofi.FocusState
local function say_focus(focus)
  if not focus.active then
    say("the focus timer is off")
    return
  end
  local round = focus.round and (", round %d"):format(focus.round) or ""
  local of = focus.rounds and (" of %d"):format(focus.rounds) or ""
  say(("%s for %s%s%s"):format(focus.phase, time.clock(focus.ends_in_sec or 0), round, of))
end

---@param args string
local function focus(args)
  local work, rest, rounds = args:match("^(%d+%.?%d*)%s+(%d+%.?%d*)%s*(%d*)$")
  local now = state.current.focus
  if args == "" and not now then
    say("the focus timer is off; :LofiFocus 25 5 works for 25 minutes and rests for 5.")
  elseif args == "" then
    say_focus({
      active = true,
      phase = now.phase,
      ends_in_sec = state.seconds_until(now.ends_at),
      round = now.round,
      rounds = now.rounds,
    })
  elseif args == "off" then
    require("lofi").focus(false, words.or_complain(say_focus))
  elseif work then
    require("lofi").focus(
      { work_min = tonumber(work), break_min = tonumber(rest), rounds = tonumber(rounds) },
      words.or_complain(say_focus)
    )
  else
    say(
      ("the focus timer takes minutes of work, minutes of break and maybe rounds (25 5 4), or off, not %s."):format(
        args
      ),
      words.ERROR
    )
  end
end

---@type table<string, lofi.Subcommand>
return {
  sleep = { run = sleep, complete = words.one_of({ "off", "15", "30", "60", "90" }) },
  focus = { run = focus, complete = words.one_of({ "off", "25 5", "50 10" }) },
}
