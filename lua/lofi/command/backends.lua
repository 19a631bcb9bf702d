--- :LofiBackends.
local words = require("lofi.command.words")

local function backends(args)
  if not words.takes_nothing("backends", args) then
    return
  end
  require("lofi").backends(function(err, result)
    if err then
      words.complain(err)
      return
    end
    require("lofi.view").open("backends", require("lofi.report").backends(result))
  end)
end

---@type table<string, lofi.Subcommand>
return { backends = { run = backends } }
