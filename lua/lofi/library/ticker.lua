--- Something that is done again and again, at a pace that changes.
local M = {}

---@class lofi.library.Ticker
---@field private _timer uv.uv_timer_t
---@field private _run fun()
---@field private _period integer?
local Ticker = {}
Ticker.__index = Ticker

---@param run fun() on the main loop
---@return lofi.library.Ticker
function M.new(run)
  return setmetatable({ _timer = assert(vim.uv.new_timer()), _run = vim.schedule_wrap(run) }, Ticker)
end

---@param period_ms integer? nil rests
function Ticker:set(period_ms)
  if period_ms == self._period then
    return
  end
  self._period = period_ms
  self._timer:stop()
  if period_ms then
    self._timer:start(period_ms, period_ms, self._run)
  end
end

function Ticker:close()
  self._timer:stop()
  if not self._timer:is_closing() then
    self._timer:close()
  end
end

return M
