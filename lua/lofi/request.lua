--- What a generation can be asked for, and the words after :LofiGenerate.
local rpc = require("lofi.rpc")
local schema = require("lofi.schema")

local M = {}

---@class lofi.request.Entry: lofi.schema.Entry
---@field suggest? string[] values that completion offers

-- Ranges that differ between backends are the daemon's to check; here only what no backend could take.
---@type lofi.request.Entry[]
M.schema = {
  {
    name = "duration_sec",
    alias = { "duration" },
    type = "number",
    min = 1,
    doc = "Length in seconds; in commands also minutes, as 2:30.",
    suggest = { "30", "60", "2:00", "5:00" },
  },
  {
    name = "backend",
    type = "string",
    doc = "What makes the music: synth, musicgen, ace_step, ace_step_15.",
    suggest = { "synth", "musicgen", "ace_step", "ace_step_15" },
  },
  { name = "model", type = "string", doc = "Variant inside a backend, such as turbo or small." },
  { name = "seed", type = "seed", doc = "The same seed and request make the same track." },
  { name = "bpm", type = "integer", min = 30, max = 300, doc = "Tempo.", suggest = { "70", "80", "90" } },
  {
    name = "keyscale",
    alias = { "key" },
    type = "string",
    doc = 'Key and mode; in commands quoted if it has a space: key="D minor".',
    suggest = { '"C major"', '"D minor"', '"A minor"', '"D dorian"' },
  },
  { name = "timesignature", type = "string", doc = "Such as 4/4.", suggest = { "4/4", "3/4" } },
  { name = "instrumental", type = "boolean", doc = "No voice." },
  {
    name = "lyrics",
    type = "string",
    doc = "What is sung, for ACE-Step; in commands @file reads a file and \\n begins a line, see |lofi-lyrics|.",
  },
  {
    name = "vocal_language",
    alias = { "language" },
    type = "string",
    doc = "Language of the lyrics, for ACE-Step: en, de, ja, ...",
    suggest = { "en", "de", "es", "fr", "it", "ja", "ko", "pt", "ru", "zh" },
  },
  {
    name = "batch_size",
    type = "integer",
    min = 1,
    max = 8,
    doc = "Tracks at once, each with the next seed, for neural backends.",
  },
  { name = "inference_steps", alias = { "steps" }, type = "integer", doc = "Diffusion steps, for ACE-Step." },
  {
    name = "guidance_scale",
    type = "number",
    doc = "How closely the prompt is followed, for neural backends; MusicGen: 1 to 30, 3 if left out.",
  },
  {
    name = "scheduler",
    type = "string",
    doc = "Solver, for ACE-Step.",
    suggest = { "euler", "heun", "pingpong", "sde" },
  },
  { name = "shift", type = "number", doc = "Timestep shift, for ACE-Step." },
  {
    name = "guidance",
    type = "string",
    doc = "Kind of guidance, for ACE-Step base and sft.",
    suggest = { "none", "cfg", "apg", "adg" },
  },
  {
    name = "init_latent_id",
    alias = { "latent" },
    type = "string",
    doc = "Latent or checkpoint to go on from, for ACE-Step: its id, or its beginning, see |lofi-latents|.",
  },
  {
    name = "t_start",
    type = "number",
    min = 0,
    max = 1,
    doc = "How far back into the noise a latent is taken before it goes on: near 0 little changes, at 1 all.",
    suggest = { "0.3", "0.5", "0.7" },
  },
  {
    name = "resume_sample_index",
    alias = { "item" },
    type = "integer",
    min = 0,
    max = 7,
    doc = "Which track of the latent's batch, from 0.",
  },
  {
    name = "checkpoint_step",
    type = "integer",
    min = 0,
    max = 199,
    doc = "Keep the state after this diffusion step, from 0, too; for ACE-Step.",
  },
  { name = "temperature", type = "number", doc = "Above 1 more daring, below 1 more even, for MusicGen." },
  {
    name = "top_k",
    type = "integer",
    doc = "Sampling among the k likeliest tokens, 50 if left out, 0 = all, for MusicGen.",
  },
  {
    name = "top_p",
    type = "number",
    doc = "Sampling among the likeliest tokens of this total, 0 to 1, for MusicGen.",
  },
  {
    name = "reference_audio_id",
    alias = { "melody" },
    type = "string",
    doc = "Track whose melody is followed, for MusicGen's melody models: its id, or its beginning.",
  },
  {
    name = "stage_type",
    alias = { "stage" },
    type = "string",
    doc = "generate, or continue, which goes on from the track `source`, for MusicGen.",
    suggest = { "generate", "continue" },
  },
  {
    name = "src_audio_id",
    alias = { "source" },
    type = "string",
    doc = "Track to go on from: its id, or its beginning.",
  },
  {
    name = "overlap_sec",
    alias = { "overlap" },
    type = "integer",
    min = 1,
    max = 4,
    doc = "Seconds of that track which the new one begins with, 2 if left out.",
  },
  {
    name = "priority",
    type = "string",
    enum = { "high", "normal", "low" },
    doc = "Place in the queue.",
    suggest = { "high", "normal", "low" },
  },
  {
    name = "auto_play",
    alias = { "play" },
    type = "boolean",
    doc = "Play it when it is finished; as in setup().",
  },
}

local by_name = {} ---@type table<string, lofi.request.Entry>
local names = {} ---@type string[] as people write them, shortest first
for _, entry in ipairs(M.schema) do
  by_name[entry.name] = entry
  table.insert(names, entry.alias and entry.alias[1] or entry.name)
  for _, alias in ipairs(entry.alias or {}) do
    by_name[alias] = entry
  end
end

---@param name string
---@return lofi.Error
local function unknown(name)
  local nearest = schema.nearest(name, vim.tbl_keys(by_name))
  local hint = nearest and ("; perhaps “%s”?"):format(nearest) or "."
  return rpc.error(
    "INVALID_PARAMS",
    ("There is no option “%s”%s Options are %s."):format(name, hint, table.concat(names, ", ")),
    { field = name }
  )
end

local BOOLEANS = {
  ["true"] = true,
  yes = true,
  on = true,
  ["1"] = true,
  ["false"] = false,
  no = false,
  off = false,
  ["0"] = false,
}

--- The value that `text` means for `entry`; the text itself where it means none.
---@param entry lofi.request.Entry
---@param text string
---@return any
local function read(entry, text)
  if entry.type == "boolean" then
    local value = BOOLEANS[text:lower()]
    return value == nil and text or value
  elseif entry.type == "seed" then
    -- Lua's numbers are doubles: above 2^53 only the digits are exact
    local number = tonumber(text)
    return text:match("^%d+$") and number <= 2 ^ 53 - 1 and number or text
  elseif entry.name == "duration_sec" and text:match("^%d+:[0-5]%d$") then
    local minutes, seconds = text:match("^(%d+):(%d+)$")
    return tonumber(minutes) * 60 + tonumber(seconds)
  elseif entry.name == "lyrics" then
    return (text:gsub("\\n", "\n"))
  elseif entry.type == "number" or entry.type == "integer" then
    return tonumber(text) or text
  end
  return text
end

---@param entry lofi.request.Entry
---@param name string as the user wrote it
---@param value any
---@return lofi.Error?
local function misfit(entry, name, value)
  if not schema.check(entry, value) then
    local text = ("%s must be %s, not %s."):format(name, schema.expects(entry), schema.show(value))
    return rpc.error("INVALID_PARAMS", text, { field = entry.name })
  end
end

---@param entry lofi.request.Entry
---@return lofi.Error
local function twice(entry)
  local name = entry.alias and entry.alias[1] or entry.name
  return rpc.error("INVALID_PARAMS", ("%s is given twice."):format(name), { field = entry.name })
end

--- A table of options, names and types checked, as the wire wants it.
---@param opts table
---@return table? params, lofi.Error? err
function M.params(opts)
  local params = {}
  for name, value in pairs(opts) do
    if name == "prompt" then
      if type(value) ~= "string" then
        return nil,
          rpc.error("INVALID_PROMPT", "The prompt must be a string, not " .. schema.show(value) .. ".")
      end
      params.prompt = value
    else
      local entry = by_name[name]
      if not entry then
        return nil, unknown(tostring(name))
      end
      local err = params[entry.name] ~= nil and twice(entry) or misfit(entry, name, value)
      if err then
        return nil, err
      end
      params[entry.name] = value
    end
  end
  return params
end

--- The words after :LofiGenerate as a table of options. A word `name=value` is an option wherever it stands;
--- an equals sign between spaces belongs to the prompt.
---@param line string
---@return table? opts, lofi.Error? err
function M.parse(line)
  local opts, words = {}, {}
  local at = 1
  while true do
    local from = line:find("%S", at)
    if not from then
      break
    end
    local word = line:match("^%S+", from)
    local name, quote = line:match("^([%a_][%w_]*)=([\"'])", from)
    local quoted = name and line:match("^([^" .. quote .. "]*)" .. quote, from + #name + 2)
    local value ---@type string?
    if quoted then
      value, at = quoted, from + #name + #quoted + 3
      if line:sub(at, at) == "," then
        at = at + 1
      end
    else
      name, value = word:match("^([%a_][%w_]*)=(.+)$")
      -- "duration=60, warm": the comma belongs to the sentence
      value = value and value:gsub("[,;]$", "")
      at = from + #word
    end
    if name and value and value ~= "" then
      local entry = by_name[name]
      if not entry then
        return nil, unknown(name)
      elseif opts[entry.name] ~= nil then
        return nil, twice(entry)
      end
      opts[entry.name] = read(entry, value)
      local err = misfit(entry, name, opts[entry.name])
      if err then
        return nil, err
      end
    else
      table.insert(words, word)
    end
  end
  local prompt = table.concat(words, " "):gsub("[%s,]+$", "")
  opts.prompt = prompt ~= "" and prompt or nil
  return opts
end

--- The words after :Lofi, as the first lofi.nvim read them: a whole number at their end is the length in seconds,
--- where it can be one; else it belongs to the prompt ("piano 1980").
---@param line string
---@return table? opts, lofi.Error? err
function M.sentence(line)
  local opts, err = M.parse(line)
  if not opts then
    return nil, err
  end
  local prompt, seconds = (opts.prompt or ""):match("^(.-)[%s,]*%s(%d+)$")
  seconds = tonumber(seconds)
  if seconds and seconds >= 5 and seconds <= 600 and prompt ~= "" and not opts.duration_sec then
    opts.prompt, opts.duration_sec = prompt, seconds
  end
  return opts
end

--- Completions of the last word of `before`, options only: a prompt is the user's own.
---@param before string the words so far, up to the cursor
---@param heard? table<string, string[]> values that only the daemon knows, by option
---@return string[]
function M.complete(before, heard)
  local lead = before:match("%S*$")
  local name, start = lead:match("^([%a_][%w_]*)=(.*)$")
  if name then
    local entry = by_name[name]
    local values = entry and (entry.suggest or (entry.type == "boolean" and { "true", "false" })) or {}
    values = entry and heard and heard[entry.name] or values
    return vim
      .iter(values)
      :filter(function(value)
        return vim.startswith(value, start)
      end)
      :map(function(value)
        return name .. "=" .. value
      end)
      :totable()
  end
  local used = {}
  for word in before:gmatch("([%a_][%w_]*)=") do
    used[by_name[word] or word] = true
  end
  return vim
    .iter(names)
    :filter(function(known)
      return vim.startswith(known, lead) and not used[by_name[known]]
    end)
    :map(function(known)
      return known .. "="
    end)
    :totable()
end

return M
