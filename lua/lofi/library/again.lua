--- A track's own parameters, asked for again: with the same words for editing, or as they are with a new seed.
local facts = require("lofi.library.facts")
local message = require("lofi.message")
local request = require("lofi.request")

local M = {}

local SHORT_LATENT, HALF_WAY = 13, 0.5

--- The value as :LofiGenerate reads it; nil where its words cannot hold it.
---@param name string
---@param value any
---@return string?
local function written(name, value)
  local text = facts.text(value)
  if name == "lyrics" then
    text = text:gsub("\n", "\\n")
  end
  if text:find("%c") then
    return nil
  elseif not text:find("[%s\"',;]") and text ~= "" then
    return text
  end
  for _, quote in ipairs({ '"', "'" }) do
    if not text:find(quote, 1, true) then
      return quote .. text .. quote
    end
  end
end

--- The parameters that a user could have given, by their names on the wire.
---@param track lofi.Track
---@return table<string, any>
local function given(track)
  local opts = {}
  for _, entry in ipairs(request.schema) do
    local value = track.params[entry.name]
    -- what a request that leaves it out gets as well
    local usual = entry.name == "instrumental" and value == (track.params.lyrics == nil)
      or entry.name == "batch_size" and value == 1
    if value ~= nil and not usual then
      opts[entry.name] = value
    end
  end
  opts.seed = track.seed
  return opts
end

--- Whether it was made from what no words can name.
---@param track lofi.Track
---@return boolean
local function has_source(track)
  local stage = track.params.stage_type or "generate"
  return stage ~= "generate" and stage ~= "continue"
end

--- ":LofiGenerate …" that makes the track again.
---@param track lofi.Track
---@param opts? table its parameters, or others
---@return string line, string[] lost parameters that do not fit into a line
function M.line(track, opts)
  opts = opts or given(track)
  local words, lost = { "LofiGenerate" }, {}
  local prompt = vim.trim((track.params.prompt:gsub("[%s%c]+", " "))) -- not the title: made without words it has ""
  if prompt ~= "" then
    table.insert(words, prompt)
  end
  for _, entry in ipairs(request.schema) do
    local value = opts[entry.name]
    local name = entry.alias and entry.alias[1] or entry.name
    local text = value ~= nil and written(entry.name, value)
    if text then
      table.insert(words, name .. "=" .. text)
    elseif value ~= nil then
      table.insert(lost, name)
    end
  end
  return table.concat(words, " "), lost
end

--- Put a line on the command line, for the user to change and enter.
---@param line string
---@param lost string[]
local function offer(line, lost)
  if #lost > 0 then
    local text = "left out, as the command line cannot hold it: %s"
    message.say(text:format(table.concat(lost, ", ")), vim.log.levels.WARN)
  end
  vim.api.nvim_feedkeys(":" .. line, "n", true)
end

--- What makes the track again, to change it.
---@param track lofi.Track
function M.restore(track)
  local line, lost = M.line(track)
  if has_source(track) then
    message.say("it was made from another track, which the command line leaves out.", vim.log.levels.WARN)
    lost = {}
  end
  offer(line, lost)
end

--- What takes the track up again from its latent, half the way back into the noise, to change it.
---@param track lofi.Track
function M.resume(track)
  if not track.latent_id then
    local text = "it has no latent to go on from: ACE-Step keeps them, for a day (:help lofi-latents)."
    message.say(text, vim.log.levels.WARN)
    return
  end
  local opts = given(track)
  for _, name in ipairs({ "seed", "duration_sec", "batch_size", "checkpoint_step" }) do
    opts[name] = nil
  end
  opts.init_latent_id, opts.t_start = track.latent_id:sub(1, SHORT_LATENT), HALF_WAY
  opts.resume_sample_index = (track.latent_index or 0) > 0 and track.latent_index or nil
  opts.backend = track.backend
  offer(M.line(track, opts))
end

--- The same request with a new seed, at once.
---@param track lofi.Track
function M.vary(track)
  if has_source(track) then
    local text = "it was made from another track; a variation of that cannot be asked for here."
    message.say(text, vim.log.levels.WARN)
    return
  end
  local opts = given(track)
  opts.seed, opts.prompt = nil, track.params.prompt
  require("lofi").generate(opts)
end

return M
