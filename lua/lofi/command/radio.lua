--- :LofiRadio.
local client = require("lofi.client")
local request = require("lofi.radio")
local state = require("lofi.state")
local words = require("lofi.command.words")

local say = words.say

---@param radio lofi.RadioState
local function say_radio(radio)
  if not radio.active then
    say("the radio is off")
    return
  end
  local what = radio.preset or radio.prompt or radio.strategy:gsub("_", " ")
  say(("radio: %s%s"):format(words.cut(what), radio.message and "; " .. radio.message or ""))
end

---@param args string
local function run(args)
  if args == "off" then
    require("lofi").radio(false, words.or_complain(say_radio))
    return
  end
  local opts, err = request.parse(args)
  if opts then
    require("lofi").radio(opts, words.or_complain(say_radio))
  else
    words.complain(err --[[@as lofi.Error]])
  end
end

--- Names of the presets. Asked for once, and only of a daemon that runs: they are there when <Tab> is next pressed.
---@return string[]
local function presets()
  if not state.current.presets and client.running() then
    require("lofi").presets(function() end)
  end
  return vim
    .iter(state.current.presets or {})
    :map(function(preset)
      return preset.name
    end)
    :totable()
end

---@param before string
---@return string[]
local function complete(before)
  local lead = before:match("%S*$")
  local found = request.complete(before, presets())
  return before == lead and vim.list_extend(words.starting_with(lead, { "off" }), found) or found
end

---@type table<string, lofi.Subcommand>
return { radio = { run = run, complete = complete } }
