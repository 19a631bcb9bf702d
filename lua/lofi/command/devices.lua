--- :LofiDevices.
local words = require("lofi.command.words")

local DEFAULT = { id = "", name = "the system's default" }

---@param result lofi.Devices
---@param id string
---@return string
local function name_of(result, id)
  for _, device in ipairs(result.devices) do
    if device.id == id then
      return device.name
    end
  end
  return id == "" and DEFAULT.name or id
end

---@param device string
local function choose(device)
  require("lofi").devices(
    device,
    words.or_complain(function(result)
      words.say(("sound goes to %s"):format(name_of(result, result.chosen)))
    end)
  )
end

---@param args string
local function run(args)
  if args ~= "" then
    choose(args == "default" and "" or args)
    return
  end
  require("lofi").devices(
    nil,
    words.or_complain(function(result)
      if #result.devices == 0 then
        words.say("there is no sound device; :checkhealth lofi says more.", words.WARN)
        return
      end
      vim.ui.select(vim.list_extend({ DEFAULT }, result.devices), {
        prompt = "Where shall it play?",
        kind = "lofi_device",
        format_item = function(device)
          local notes = {}
          if device.is_default then
            table.insert(notes, "default")
          end
          if device.id == result.chosen then
            table.insert(notes, "chosen")
          end
          return device.name .. (#notes > 0 and (" (%s)"):format(table.concat(notes, ", ")) or "")
        end,
      }, function(device)
        if device then
          choose(device.id)
        end
      end)
    end)
  )
end

---@type table<string, lofi.Subcommand>
return { devices = { run = run, complete = words.one_of({ "default" }) } }
