--- Going to a place in the track that plays.
local client = require("lofi.client")
local mirror = require("lofi.mirror")
local rpc = require("lofi.rpc")
local schema = require("lofi.schema")
local state = require("lofi.state")
local time = require("lofi.time")

local M = {}

---@param position number
---@param callback lofi.rpc.Callback
local function go(position, callback)
  client.request("seek", { position_sec = position }, callback)
end

--- Where the track is now. What is mirrored is asked for only where it may be unknown.
---@param callback fun(err: lofi.Error?, position: number?)
local function here(callback)
  if state.current.playback.state ~= "stopped" then
    callback(nil, state.position())
    return
  end
  client.request("status", nil, function(err, status)
    callback(err, status and status.playback.position_sec or 0)
  end)
end

--- Seconds, or a text: "1:30" is a place, "+10" and "-10" are steps from here.
---@param to number|string
---@param callback lofi.rpc.Callback
function M.to(to, callback)
  local sign, seconds = "", tonumber(to)
  if type(to) == "string" then
    local text ---@type string
    sign, text = to:match("^([+-]?)(.*)$")
    seconds = time.parse(text)
  end
  if not seconds or (sign == "" and not (seconds >= 0 and seconds < math.huge)) then
    local sentence = "A place in the track is written 90, 1:30, +10 or -10, not %s."
    vim.schedule(function()
      callback(rpc.error("INVALID_PARAMS", sentence:format(schema.show(to)), { field = "position_sec" }))
    end)
  elseif sign == "" then
    go(seconds, callback)
  else
    here(function(err, position)
      if err then
        callback(err)
        return
      end
      local target = math.max(0, position + (sign == "+" and seconds or -seconds))
      mirror.apply("playback_seeked", { position_sec = target }) -- so that a second +10 counts from there
      go(target, callback)
    end)
  end
end

return M
