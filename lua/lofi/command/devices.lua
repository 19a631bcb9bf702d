--- :LofiDevices.
local words = require("lofi.command.words")

---@param result lofi.Devices
---@param id string
---@return string
local function name_of(result, id)
  for _, device in ipairs(result.devices) do
    if device.id == id then
      return device.name
    end
  end
  return id == "" and "the system's default" or id
end

---@param args string
local function run(args)
  if args == "" then
    require("lofi").pick("devices")
    return
  end
  require("lofi").devices(
    args == "default" and "" or args,
    words.or_complain(function(result)
      words.say(("sound goes to %s"):format(name_of(result, result.chosen)))
    end)
  )
end

---@type table<string, lofi.Subcommand>
return { devices = { run = run, complete = words.one_of({ "default" }) } }
