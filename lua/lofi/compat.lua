--- What the first lofi.nvim called otherwise, or had and this one has no need of. `require("lofi")` looks here for
--- names that it does not have, so that configurations written for the first go on working.
local state = require("lofi.state")

local M = {}

M.events = require("lofi.events")
M.EVENTS = M.events.EVENTS

---@return lofi.Job?
local function job()
  return state.own_job() or state.running()
end

--- See |lofi.backends()|.
---@param callback fun(err: lofi.Error?, result: { backends: lofi.Backend[], default_backend: string }?)
---@return true
function M.get_backends(callback)
  require("lofi").backends(callback)
  return true
end

--- Whether something is being made, or waits for it.
---@return boolean
function M.is_generating()
  return job() ~= nil
end

--- The id of the track that is being made.
---@return string?
function M.current_track()
  local now = job()
  return now and now.track_id
end

---@return boolean
function M.is_daemon_running()
  return require("lofi.client").running()
end

--- See |lofi.restart()|.
function M.force_stop()
  require("lofi").restart()
end

return M
