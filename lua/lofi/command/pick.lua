--- :LofiPick.
local words = require("lofi.command.words")

---@param args string
local function pick(args)
  local what, query = args:match("^(%S*)%s*(.*)$")
  if query ~= "" and what ~= "tracks" then
    words.say((":LofiPick %s takes no words; only :LofiPick tracks does."):format(what), words.ERROR)
  else
    require("lofi").pick(what ~= "" and what or nil, query)
  end
end

---@type table<string, lofi.Subcommand>
return {
  pick = {
    run = pick,
    complete = function(before)
      return words.starting_with(before, require("lofi.pick").NAMES)
    end,
  },
}
