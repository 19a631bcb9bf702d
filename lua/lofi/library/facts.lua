--- What is known of a track, as labels and values.
local request = require("lofi.request")
local time = require("lofi.time")

local M = {}

--- A value in words. Seeds have up to 16 digits, and all of them count.
---@param value any
---@return string
function M.text(value)
  if type(value) == "table" then
    return (vim.inspect(value, { newline = " ", indent = "" }):gsub("%s+", " "))
  elseif type(value) == "number" then
    return (value % 1 == 0 and "%.0f" or "%.15g"):format(value)
  end
  return tostring(value)
end

local SHOWN_ALREADY = { prompt = true, duration_sec = true, seed = true, backend = true, stage_type = true }

--- The parameters that have no line of their own: first in the order of the help, then the rest.
---@param track lofi.Track
---@return string[][] label and value
local function parameters(track)
  local pairs_, seen = {}, vim.deepcopy(SHOWN_ALREADY)
  local function add(name, label)
    if track.params[name] ~= nil and not seen[name] then
      table.insert(pairs_, { label, M.text(track.params[name]) })
    end
    seen[name] = true
  end
  for _, entry in ipairs(request.schema) do
    add(entry.name, entry.alias and entry.alias[1] or entry.name)
  end
  local others = vim.tbl_keys(track.params)
  table.sort(others)
  for _, name in ipairs(others) do
    add(name, name)
  end
  return pairs_
end

--- What the backend chose where the request left it open.
---@param track lofi.Track
---@return string[][]
local function chosen(track)
  local found = {}
  for _, name in ipairs({ "style", "bpm", "keyscale", "timesignature" }) do
    local value = (track.lm_metadata or {})[name]
    if value ~= nil and track.params[name] == nil then
      table.insert(found, { name == "keyscale" and "key" or name, M.text(value) })
    end
  end
  return found
end

---@param iso string
---@return string
local function when(iso)
  return (iso:gsub("T", " "):gsub(":%d+%.?%d*Z$", " UTC"))
end

--- Label and value of each line below the outline.
---@param track lofi.Track
---@return string[][]
function M.of(track)
  local sound = ("%s, %d Hz, %d channel%s"):format(
    time.clock(track.duration_sec),
    track.sample_rate,
    track.channels,
    track.channels == 1 and "" or "s"
  )
  local list = {
    { "backend", ("%s, %s"):format(track.backend, track.model_version) },
    { "length", sound },
    { "loudness", track.lufs and ("%.1f LUFS"):format(track.lufs) or "not measured" },
    { "seed", M.text(track.seed) },
  }
  vim.list_extend(list, parameters(track))
  vim.list_extend(list, chosen(track))
  vim.list_extend(list, {
    { "made", ("%s, in %.1f s"):format(when(track.created_at), track.generation_time_sec) },
    { "favourite", track.favorite and "yes" or "no" },
  })
  local parents = vim.iter(track.parent_ids):filter(function(id)
    -- which are shown as the melody and the source
    return id ~= track.params.reference_audio_id and id ~= track.params.src_audio_id
  end)
  local others = parents:join(" ")
  if others ~= "" then
    table.insert(list, { "made from", others })
  end
  if track.latent_id then
    local of = (track.latent_index or 0) > 0 and (", track %d of its batch"):format(track.latent_index) or ""
    table.insert(list, { "latent", track.latent_id .. of })
  end
  if track.latent_checkpoint_id then
    local text = "%s, after step %d"
    table.insert(list, { "checkpoint", text:format(track.latent_checkpoint_id, track.checkpoint_step or 0) })
  end
  vim.list_extend(list, { { "id", track.id }, { "path", track.path } })
  return list
end

return M
