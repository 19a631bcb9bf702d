--- The subcommands of :Lofi; :LofiPlay and its like are the same ones under one name.
local message = require("lofi.message")
local schema = require("lofi.schema")

local M = {}

local WARN, ERROR = vim.log.levels.WARN, vim.log.levels.ERROR

---@class lofi.Subcommand
---@field run fun(args: string)
---@field complete? fun(before: string): string[]

---@param text string
---@param level? integer
local function say(text, level)
  message.say(text, level)
end

--- What to say of an error, unless it was said already.
---@param err lofi.Error
local function complain(err)
  if err.code ~= "DAEMON_EXITED" then
    say(err.message, ERROR)
  end
end

---@param sub string
---@param args string
---@return boolean
local function takes_nothing(sub, args)
  if args ~= "" then
    say((":Lofi %s takes no arguments, but got %s."):format(sub, schema.show(args)), ERROR)
  end
  return args == ""
end

---@param done string what is said when it worked; "" = nothing, the statusline and the ear tell
---@return lofi.PlaybackCallback
local function after_playback(done)
  return function(err, result)
    if err then
      complain(err)
    elseif result.state == "no_device" then
      say(result.message or "there is no sound device; everything but playback works.", WARN)
    elseif result.state == "stopped" and done ~= "stopped" then
      say("nothing is playing; :LofiPlay or :LofiGenerate starts something.")
    elseif done == "playing" then
      say(("playing %s"):format(require("lofi.state").name(result.track_id)))
    else
      say(done)
    end
  end
end

---@param done string
---@return lofi.Subcommand
local function playback(sub, done)
  return {
    run = function(args)
      if takes_nothing(sub, args) then
        require("lofi")[sub](after_playback(done))
      end
    end,
  }
end

---@param line string
local function generate(line)
  local opts, err = require("lofi.request").parse(line)
  if not opts then
    complain(err --[[@as lofi.Error]])
    return
  end
  if opts.prompt then
    require("lofi").generate(opts)
    return
  end
  vim.ui.input({ prompt = "What shall it be? " }, function(prompt)
    if prompt and vim.trim(prompt) ~= "" then
      opts.prompt = vim.trim(prompt)
      require("lofi").generate(opts)
    end
  end)
end

---@param level number
local function say_volume(level)
  say(("volume %d %%"):format(math.floor(level * 100 + 0.5)))
end

--- "40" sets, "+5" and "-5" change, "" asks. In percent: 1 could otherwise be all or nearly nothing.
---@param args string
local function volume(args)
  local lofi = require("lofi")
  local function told(err, result)
    if err then
      complain(err)
    else
      say_volume(result.level)
    end
  end
  local sign, digits = args:match("^([+-]?)(%d+)%%?$")
  local percent = tonumber(digits)
  if args == "" then
    lofi.volume(nil, told)
  elseif percent and sign ~= "" then
    lofi.volume(nil, function(err, result)
      if err then
        complain(err)
        return
      end
      local level = result.level + (sign == "+" and percent or -percent) / 100
      lofi.volume(math.max(0, math.min(1, level)), told)
    end)
  elseif percent and percent <= 100 then
    lofi.volume(percent / 100, told)
  else
    say(
      ("the volume is a whole number of percent, 0 to 100, or a change such as +5, not %s."):format(args),
      ERROR
    )
  end
end

local function backends(args)
  if not takes_nothing("backends", args) then
    return
  end
  require("lofi").backends(function(err, result)
    if err then
      complain(err)
      return
    end
    require("lofi.view").open("backends", require("lofi.report").backends(result))
  end)
end

local function status(args)
  if not takes_nothing("status", args) then
    return
  end
  require("lofi").status(function(err, result)
    if err then
      complain(err)
    else
      require("lofi.view").open("status", require("lofi.report").status(result))
    end
  end)
end

local function open_log(args)
  if not takes_nothing("log", args) then
    return
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

---@param args string
local function cancel(args)
  require("lofi").cancel(args ~= "" and args or nil, function(err, result)
    if err then
      complain(err)
    elseif not result.cancelled then
      say("it was finished before it could be cancelled.")
    end -- that it was cancelled is an event, and shown as one
  end)
end

---@param lead string
---@param words string[]
---@return string[]
local function starting_with(lead, words)
  return vim
    .iter(words)
    :filter(function(word)
      return vim.startswith(word, lead)
    end)
    :totable()
end

---@param ids string[]
---@return string[]
local function short(ids)
  return vim
    .iter(ids)
    :map(function(id)
      return id:sub(1, 12)
    end)
    :totable()
end

---@type table<string, lofi.Subcommand>
local subcommands = {
  generate = {
    run = generate,
    complete = function(before)
      local known = require("lofi.state").current.backends
      local names = known and vim.iter(known):map(function(backend)
        return backend.type
      end)
      return require("lofi.request").complete(before, names and names:totable())
    end,
  },
  play = {
    run = function(args)
      require("lofi").play(args ~= "" and args or nil, after_playback("playing"))
    end,
    complete = function(before)
      return starting_with(before, short(require("lofi.state").known_tracks()))
    end,
  },
  pause = playback("pause", "paused"),
  resume = playback("resume", "playing"),
  toggle = {
    run = function(args)
      if takes_nothing("toggle", args) then
        require("lofi").toggle(function(err, result)
          after_playback(result and result.state or "")(err, result)
        end)
      end
    end,
  },
  stop = playback("stop", "stopped"),
  cancel = {
    run = cancel,
    complete = function(before)
      local jobs = vim.iter(require("lofi.state").current.jobs)
      return starting_with(
        before,
        short(jobs
          :map(function(job)
            return job.track_id
          end)
          :totable())
      )
    end,
  },
  volume = {
    run = volume,
    complete = function(before)
      return starting_with(before, { "0", "25", "50", "75", "100", "+5", "-5" })
    end,
  },
  backends = { run = backends },
  status = { run = status },
  log = { run = open_log },
  restart = {
    run = function(args)
      if takes_nothing("restart", args) then
        require("lofi").restart()
        say("the daemon stops; the next command starts it again.")
      end
    end,
  },
}

---@return string[]
local function names()
  local list = vim.tbl_keys(subcommands)
  table.sort(list)
  return list
end

--- The words after :Lofi.
---@param line string
function M.run(line)
  local sub, args = vim.trim(line):match("^(%S*)%s*(.*)$")
  if sub == "" then
    sub = "status"
  end
  local subcommand = subcommands[sub]
  if not subcommand then
    local nearest = schema.nearest(sub, names())
    local hint = nearest and ("; perhaps “%s”?"):format(nearest) or "."
    say(("there is no :Lofi %s%s There are %s."):format(sub, hint, table.concat(names(), ", ")), ERROR)
    return
  end
  subcommand.run(args)
end

--- Completions of the last word before the cursor, for :Lofi and for the commands named after a subcommand.
---@param _ string
---@param line string the whole command line
---@param cursor integer
---@return string[]
function M.complete(_, line, cursor)
  local own, before = line:sub(1, cursor):match("Lofi(%a*)%s+(.*)$")
  local sub = own and own:lower()
  if sub == "" then
    local word, rest = before:match("^(%S+)%s+(.*)$")
    if not word then
      return starting_with(before, names())
    end
    sub, before = word, rest
  elseif sub then
    sub = starting_with(sub, names())[1] -- commands may be typed short: LofiGen
  end
  local subcommand = subcommands[sub]
  return subcommand and subcommand.complete and subcommand.complete(before) or {}
end

return M
