--- What was deleted and can still come back: nothing leaves the disk before the library is closed or written.
local message = require("lofi.message")

local M = {}

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

---@param count integer
---@return string
local function tracks(count)
  return count == 1 and "1 track" or count .. " tracks"
end

--- Delete for good, and say how many.
---@param kept fun() called when some could not be deleted
function M.carry_out(kept)
  local ids = vim.tbl_keys(held)
  taken, held = {}, {}
  local waiting, failed, problem = #ids, 0, nil ---@type integer, integer, lofi.Error?
  for _, id in ipairs(ids) do
    require("lofi").request("cache_delete", { track_id = id }, function(err)
      waiting = waiting - 1
      if err and err.code ~= "INVALID_TRACK_ID" then -- that one was gone already
        problem = err
        failed = failed + 1
      end
      if waiting > 0 then
        return
      end
      if problem then
        local text = "%s deleted, %d could not be: %s"
        message.say(text:format(tracks(#ids - failed), failed, problem.message), vim.log.levels.ERROR)
        kept()
      else
        message.say(("%s deleted"):format(tracks(#ids)))
      end
    end)
  end
end

--- The editor leaves: the requests are written, and nobody is left to hear of them.
function M.leave()
  local ids = vim.tbl_keys(held)
  taken, held = {}, {}
  for _, id in ipairs(ids) do
    require("lofi").request("cache_delete", { track_id = id }, function() end)
  end
end

return M
