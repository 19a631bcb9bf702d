--- The subcommands of :Lofi; :LofiPlay and its like are the same ones under one name.
local schema = require("lofi.schema")
local words = require("lofi.command.words")

local M = {}

--- Subcommand → the room under lofi/command that has it.
---@type table<string, string>
local ROOMS = {
  generate = "generation",
  ace = "generation",
  cancel = "generation",
  play = "playback",
  pause = "playback",
  resume = "playback",
  toggle = "playback",
  stop = "playback",
  skip = "playback",
  previous = "playback",
  seek = "playback",
  volume = "playback",
  crossfade = "playback",
  playlist = "playlist",
  loop = "playlist",
  shuffle = "playlist",
  radio = "radio",
  devices = "devices",
  sleep = "timers",
  focus = "timers",
  library = "views",
  player = "views",
  queue = "views",
  studio = "studio",
  lineage = "studio",
  pick = "pick",
  install = "install",
  backends = "backends",
  status = "daemon",
  log = "daemon",
  restart = "daemon",
}

---@param sub string?
---@return lofi.Subcommand?
local function subcommand(sub)
  return sub and ROOMS[sub] and require("lofi.command." .. ROOMS[sub])[sub]
end

---@return string[]
local function names()
  local list = vim.tbl_keys(ROOMS)
  table.sort(list)
  return list
end

--- The words after :Lofi. Those that begin with no subcommand are a prompt; one word that is nearly a subcommand is
--- made music of as well, but told.
---@param line string
---@param range? integer[] first and last line of the buffer, where some were given
function M.run(line, range)
  line = vim.trim(line)
  local sub, args = line:match("^(%S*)%s*(.*)$")
  if sub == "" then
    sub = "status"
  end
  local found = subcommand(sub)
  if found then
    if range and not found.takes_range then
      words.say((":Lofi %s takes no lines of the buffer."):format(sub), words.ERROR)
    else
      found.run(args, range)
    end
    return
  end
  local nearest = args == "" and schema.nearest(sub, names(), 1)
  if nearest then
    local text = "composing “%s”; perhaps you meant :Lofi %s? :LofiCancel ends it."
    words.say(text:format(sub, nearest), words.WARN) -- else the first word of progress takes its place
  end
  require("lofi.command.generation").prompt.run(line, range)
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
      return words.starting_with(before, names())
    end
    sub, before = word, rest
  elseif sub then
    sub = words.starting_with(sub, names())[1] -- commands may be typed short: LofiGen
  end
  local found = subcommand(sub) or (own == "" and require("lofi.command.generation").prompt)
  return found and found.complete and found.complete(before) or {}
end

return M
