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

return M
