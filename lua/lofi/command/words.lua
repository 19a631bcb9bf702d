--- What the commands say, and how they read their arguments.
local message = require("lofi.message")
local schema = require("lofi.schema")
local state = require("lofi.state")

local M = {}

M.WARN, M.ERROR = vim.log.levels.WARN, vim.log.levels.ERROR
M.TITLE_COLUMNS = 60

---@alias lofi.Subcommand.Run fun(args: string, range?: integer[])

---@class lofi.Subcommand
---@field run lofi.Subcommand.Run
---@field takes_range? boolean lines of the buffer, first and last
---@field complete? fun(before: string): string[] the last word of the arguments so far, completed

---@param count integer
---@return string
function M.tracks(count)
  return count == 1 and "1 track" or count .. " tracks"
end

---@param text string
---@param level? integer
function M.say(text, level)
  message.say(text, level)
end

--- Ask before something that cannot be undone.
---@param question string
---@param yes string
---@param no string
---@param act fun()
function M.confirm(question, yes, no, act)
  vim.ui.select({ yes, no }, { prompt = question, kind = "lofi_confirm" }, function(_, index)
    if index == 1 then
      act()
    end
  end)
end

--- What to say of an error, unless it was said already.
---@param err lofi.Error
function M.complain(err)
  if err.code ~= "DAEMON_EXITED" then
    M.say(err.message, M.ERROR)
  end
end

--- A callback that complains of an error, and else calls `told` with the result.
---@param told fun(result: table)
---@return lofi.rpc.Callback
function M.or_complain(told)
  return function(err, result)
    if err then
      M.complain(err)
    else
      told(result)
    end
  end
end

---@param sub string
---@param args string
---@return boolean
function M.takes_nothing(sub, args)
  if args ~= "" then
    M.say((":Lofi %s takes no arguments, but got %s."):format(sub, schema.show(args)), M.ERROR)
  end
  return args == ""
end

--- Titles are for people; ids where there is none.
---@param track_id string?
---@return string
function M.name_of(track_id)
  return state.name(track_id)
end

---@param text string
---@return string
function M.cut(text)
  return message.cut(text, M.TITLE_COLUMNS)
end

---@param lead string
---@param words string[]
---@return string[]
function M.starting_with(lead, words)
  return vim
    .iter(words)
    :filter(function(word)
      return vim.startswith(word, lead)
    end)
    :totable()
end

--- Completes the first argument only.
---@param choices string[]
---@return fun(before: string): string[]
function M.one_of(choices)
  return function(before)
    return M.starting_with(before, choices)
  end
end

---@param ids string[]
---@return string[]
function M.short(ids)
  return vim
    .iter(ids)
    :map(function(id)
      return id:sub(1, 12)
    end)
    :totable()
end

--- Completes the id of a track.
---@param before string
---@return string[]
function M.complete_track(before)
  return M.starting_with(before, M.short(state.known_tracks()))
end

return M
