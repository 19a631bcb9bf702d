--- Seconds as players write them.
local M = {}

---@param seconds number
---@return string "1:02", "1:00:05"
function M.clock(seconds)
  seconds = math.max(0, math.floor(seconds))
  if seconds >= 3600 then
    return ("%d:%02d:%02d"):format(seconds / 3600, seconds / 60 % 60, seconds % 60)
  end
  return ("%d:%02d"):format(seconds / 60, seconds % 60)
end

--- The opposite: "62", "1:02", "1:00:05" → seconds.
---@param text string
---@return number? seconds nil where it is no time
function M.parse(text)
  if text:match("^%d+%.?%d*$") then
    return tonumber(text)
  end
  local hours, minutes, seconds = text:match("^(%d+):(%d%d):(%d%d)$")
  if not hours then
    hours, minutes, seconds = "0", text:match("^(%d+):(%d%d)$")
  end
  if not seconds or tonumber(seconds) >= 60 or (hours ~= "0" and tonumber(minutes) >= 60) then
    return nil
  end
  return tonumber(hours) * 3600 + tonumber(minutes) * 60 + tonumber(seconds)
end

return M
