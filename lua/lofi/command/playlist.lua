--- :LofiPlaylist, :LofiLoop and :LofiShuffle.
local words = require("lofi.command.words")

local say = words.say

local LOOPS = { "off", "one", "all" }

---@param entry lofi.PlaylistEntry
---@return string
local function title(entry)
  return words.cut((entry.prompt:gsub("[%s%c]+", " ")))
end

---@type table<string, fun(ids: string[])>
local actions = {
  add = function(ids)
    require("lofi").playlist.add(
      ids,
      words.or_complain(function(playlist)
        say(("%s in the playlist"):format(words.tracks(#playlist.tracks)))
      end)
    )
  end,
  next = function(ids)
    require("lofi").playlist.add(
      ids,
      { next = true },
      words.or_complain(function(playlist)
        local entry = playlist.tracks[(playlist.index or -1) + 2]
        say(entry and "next: " .. title(entry) or "it is in the playlist")
      end)
    )
  end,
  remove = function(ids)
    require("lofi").playlist.remove(
      ids[1],
      words.or_complain(function(playlist)
        say(("%s left in the playlist"):format(words.tracks(#playlist.tracks)))
      end)
    )
  end,
  clear = function()
    require("lofi").playlist.clear(words.or_complain(function()
      say("the playlist is empty")
    end))
  end,
}

---@param args string
local function playlist(args)
  local action, rest = args:match("^(%S*)%s*(.*)$")
  local ids = vim.split(rest, "%s+", { trimempty = true })
  if action == "" then
    require("lofi.playlist").open()
  elseif not actions[action] then
    local names = vim.tbl_keys(actions)
    table.sort(names)
    say(
      ("there is no :LofiPlaylist %s. There are %s."):format(action, table.concat(names, ", ")),
      words.ERROR
    )
  elseif (action == "clear") ~= (#ids == 0) or (action == "remove" and #ids > 1) then
    local wants = { clear = "takes no arguments", remove = "takes the id of one track" }
    say((":LofiPlaylist %s %s."):format(action, wants[action] or "takes the ids of tracks"), words.ERROR)
  else
    actions[action](ids)
  end
end

---@param before string
---@return string[]
local function complete(before)
  local action = before:match("^(%S+)%s")
  if not action then
    return words.starting_with(before, { "add", "clear", "next", "remove" })
  elseif action == "clear" then
    return {}
  end
  return words.complete_track(before:match("%S*$"))
end

---@param args string
local function loop(args)
  if args ~= "" and not vim.list_contains(LOOPS, args) then
    say(("loop is off, one or all, not %s."):format(args), words.ERROR)
    return
  end
  require("lofi").loop(
    args ~= "" and args or nil,
    words.or_complain(function(result)
      say("loop " .. result.loop)
    end)
  )
end

---@param args string
local function shuffle(args)
  if args ~= "" and args ~= "on" and args ~= "off" then
    say(("shuffle is on or off, not %s."):format(args), words.ERROR)
    return
  end
  local wanted ---@type boolean?
  if args ~= "" then
    wanted = args == "on"
  end
  require("lofi").shuffle(
    wanted,
    words.or_complain(function(result)
      say("shuffle " .. (result.shuffle and "on" or "off"))
    end)
  )
end

---@type table<string, lofi.Subcommand>
return {
  playlist = { run = playlist, complete = complete },
  loop = { run = loop, complete = words.one_of(LOOPS) },
  shuffle = { run = shuffle, complete = words.one_of({ "off", "on" }) },
}
