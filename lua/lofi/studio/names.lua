--- Tracks and latents by their ids, as far as the editor knows them, so that neither completion nor a drawn line has
--- to ask for them.
local events = require("lofi.events")

local M = {}

local PAGE = 200
local SHORTEST = 6 -- digits that name a track or latent

M.tracks = {} ---@type lofi.Track[] newest first
M.latents = {} ---@type lofi.Latent[] newest first
M.fields = {} ---@type lofi.StageField[] in the order in which a stage is read

local by_name = {} ---@type table<string, lofi.StageField>
local listeners = {} ---@type table<fun(), true>
local following = false

local function tell()
  for listener in pairs(listeners) do
    listener()
  end
end

---@param method string
---@param member "tracks"|"latents"
local function ask(method, member)
  require("lofi").request(method, { limit = PAGE }, function(err, page)
    if not err then
      M[member] = page[member]
      tell()
    end
  end)
end

---@param fields lofi.StageField[]
function M.learn(fields)
  M.fields, by_name = fields, {}
  for _, field in ipairs(fields) do
    by_name[field.name] = field
  end
end

--- Ask the daemon for what it has.
local function load()
  ask("cache_list", "tracks")
  ask("latent_list", "latents")
  require("lofi").request("stage_fields", nil, function(err, result)
    if not err then
      M.learn(result.fields)
      tell()
    end
  end)
end

---@param change lofi.LibraryChange
local function on_library(change)
  if not next(listeners) then
    return
  elseif change.reset then
    load()
    return
  end
  local gone = {} ---@type table<string, true>
  for _, id in ipairs(change.removed) do
    gone[id] = true
  end
  for _, track in ipairs(change.changed) do
    gone[track.id] = true
  end
  local kept = vim.tbl_filter(function(track)
    return not gone[track.id]
  end, M.tracks)
  M.tracks = vim.list_extend(vim.list_slice(change.changed), kept)
  ask("latent_list", "latents")
end

--- Know them from now on, and call `listener` when there is another to be known.
---@param listener fun()
---@return fun() off ends it
function M.follow(listener)
  if not next(listeners) then
    load()
  end
  listeners[listener] = true
  if not following then
    following = true
    events.on("library_changed", on_library)
    events.on("daemon_joined", function()
      if next(listeners) then
        load()
      end
    end)
  end
  return function()
    listeners[listener] = nil
  end
end

---@param name string
---@return lofi.StageField?
function M.field(name)
  return by_name[name]
end

---@param list { id: string }[]
---@param prefix string
---@return table?
local function find(list, prefix)
  prefix = #prefix >= SHORTEST and prefix:lower() or nil
  return prefix and vim.iter(list):find(function(one)
    return vim.startswith(one.id, prefix)
  end)
end

--- The track that an id, or its beginning, is about.
---@param prefix string
---@return lofi.Track?
function M.track(prefix)
  return find(M.tracks, prefix)
end

---@param prefix string
---@return lofi.Latent?
function M.latent(prefix)
  return find(M.latents, prefix)
end

return M
