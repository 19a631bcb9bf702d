--- :LofiStatus, :LofiLog and :Lofi restart.
local words = require("lofi.command.words")

local say = words.say

local function status(args)
  if not words.takes_nothing("status", args) then
    return
  end
  require("lofi").status(function(err, result)
    if err then
      words.complain(err)
    else
      require("lofi.view").open("status", require("lofi.report").status(result))
    end
  end)
end

--- The plugin's log; what a shared daemon writes is in its own, which is named then.
local function open_log(args)
  if not words.takes_nothing("log", args) then
    return
  end
  local daemon = require("lofi.state").current.daemon
  if daemon and daemon.log then
    say("the shared daemon's own log is " .. vim.fn.fnamemodify(daemon.log, ":~"))
  end
  local path = require("lofi.log").path()
  if not vim.uv.fs_stat(path) then
    say("nothing has been logged yet.")
    return
  end
  vim.cmd.split({ args = { vim.fn.fnameescape(path) } })
  vim.bo.modifiable = false
  vim.bo.autoread = true
  vim.cmd.normal({ args = { "G" }, bang = true })
end

---@type table<string, lofi.Subcommand>
return {
  status = { run = status },
  log = { run = open_log },
  restart = {
    run = function(args)
      if words.takes_nothing("restart", args) then
        require("lofi").restart()
        say("the daemon stops; the next command starts it again.")
      end
    end,
  },
}
