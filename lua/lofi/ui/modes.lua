--- Loop and shuffle by a key: each press takes the next.
local state = require("lofi.state")

local M = {}

local NEXT_LOOP = { off = "all", all = "one", one = "off" }

---@param callback lofi.rpc.Callback
function M.loop(callback)
  local playlist = state.current.playlist
  require("lofi").loop(NEXT_LOOP[playlist and playlist.loop or "off"], callback)
end

---@param callback lofi.rpc.Callback
function M.shuffle(callback)
  local playlist = state.current.playlist
  require("lofi").shuffle(not (playlist and playlist.shuffle), callback)
end

return M
