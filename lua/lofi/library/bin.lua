--- What was deleted and can still come back: nothing leaves the disk before the library is closed or written.
local message = require("lofi.message")
local words = require("lofi.command.words")

local M = {}

local SHORT = 16 -- digits of an id that no other track has

local taken = {} ---@type string[][] ids of what was deleted at once, the last ones last
local held = {} ---@type table<string, true>

---@param ids string[]
function M.put(ids)
  table.insert(taken, ids)
  for _, id in ipairs(ids) do
    held[id] = true
  end
end

---@param id string
---@return boolean
function M.has(id)
  return held[id] == true
end

--- What was deleted last comes back.
---@return string[]? ids
function M.take_back()
  while true do
    local ids = table.remove(taken)
    local back = vim.tbl_filter(M.has, ids or {})
    if not ids or #back > 0 then
      M.keep(back)
      return ids and back
    end
  end
end

--- These are not deleted after all.
---@param ids string[]
function M.keep(ids)
  for _, id in ipairs(ids) do
    held[id] = nil
  end
end

---@return integer
function M.count()
  return vim.tbl_count(held)
end

---@return string[] ids
local function empty()
  local ids = vim.tbl_keys(held)
  taken, held = {}, {}
  return ids
end

--- Delete for good, and say how many.
---@param kept fun() called when some could not be deleted
function M.carry_out(kept)
  local ids = empty()
  if #ids == 0 then
    return
  end
  require("lofi").request("cache_delete", { track_ids = ids }, function(err, result)
    if err then
      message.say("not everything was deleted. " .. err.message, vim.log.levels.ERROR)
      kept()
    else
      message.say(("%s deleted"):format(words.tracks(#result.deleted)))
    end
  end)
end

--- The editor leaves: the request is written, and nobody is left to hear of it. Nobody sends the rest either of what
--- the pipe does not take at once (64 KiB), so that the ids are short.
function M.leave()
  local ids = vim.tbl_map(function(id)
    return id:sub(1, SHORT)
  end, empty())
  if #ids > 0 then
    require("lofi").request("cache_delete", { track_ids = ids }, function() end)
  end
end

return M
