--- :LofiStudio and :LofiLineage.
local state = require("lofi.state")
local words = require("lofi.command.words")

local ENDING = ".lofi.toml"

--- Neovim opens no window from the command-line window.
---@return boolean
local function may_open()
  local free = vim.fn.getcmdwintype() == ""
  if not free then
    words.say("close the command-line window first.", words.WARN)
  end
  return free
end

---@param args string
local function studio(args)
  if args ~= "" and not vim.endswith(args, ENDING) then
    words.say(("the file of a pipeline ends in %s, not %s."):format(ENDING, args), words.ERROR)
  elseif may_open() then
    require("lofi.studio").open(args ~= "" and vim.fn.expand(args) or nil)
  end
end

---@param before string
---@return string[]
local function complete_file(before)
  return vim.tbl_filter(function(path)
    return vim.endswith(path, ENDING) or vim.endswith(path, "/")
  end, vim.fn.getcompletion(before, "file"))
end

---@param args string
local function lineage(args)
  local id = args ~= "" and args or state.current.playback.track_id or state.known_tracks()[1]
  if not id then
    words.say("name a track: nothing plays, and none has been made here yet.", words.WARN)
  elseif may_open() then
    require("lofi.lineage").open(id)
  end
end

---@type table<string, lofi.Subcommand>
return {
  studio = { run = studio, complete = complete_file },
  lineage = { run = lineage, complete = words.complete_track },
}
