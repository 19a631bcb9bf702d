--- The user's settings. One schema feeds defaults, validation, help (doc/lofi.txt) and types (meta.lua).
local schema = require("lofi.schema")

local M = {}

---@class lofi.config.Entry: lofi.schema.Entry
---@field daemon? boolean belongs to the daemon: passed to it only when the user set it, so that the environment
--- and config.toml keep their say; `default` is what the daemon then does
---@field ascii? string the default with `ascii = true`

---@type lofi.config.Entry[]
M.schema = {
  {
    name = "auto_play",
    type = "boolean",
    default = true,
    doc = "Play a track as soon as it is finished.",
  },
  {
    name = "progress",
    type = "string",
    enum = { "cmdline", "none" },
    default = "cmdline",
    doc = "Where progress is shown: one line at the bottom of the screen, or nowhere; events go on.",
  },
  {
    name = "ascii",
    type = "boolean",
    default = false,
    doc = "Draw icons and bars with ASCII characters only.",
  },
  {
    name = "icons.playing",
    type = "string",
    default = "♪",
    ascii = ">",
    doc = "Statusline: before what plays.",
  },
  {
    name = "icons.paused",
    type = "string",
    default = "⏸",
    ascii = "||",
    doc = "Statusline: before what is paused.",
  },
  {
    name = "icons.generating",
    type = "string",
    default = "lofi",
    ascii = "lofi",
    doc = "Statusline: before percent and remaining time.",
  },
  {
    name = "icons.radio",
    type = "string",
    default = "∞",
    ascii = "radio",
    doc = "Statusline: after what plays, while the radio is on.",
  },
  {
    name = "icons.focus",
    type = "string",
    default = "focus",
    ascii = "focus",
    doc = "Statusline: before the rest of the time to work.",
  },
  {
    name = "icons.recess",
    type = "string",
    default = "break",
    ascii = "break",
    doc = "Statusline: before the rest of the break.",
  },
  {
    name = "statusline.max_title",
    type = "integer",
    min = 4,
    max = 200,
    default = 24,
    doc = "Statusline: the title is cut to this many columns.",
  },
  {
    name = "daemon.cmd",
    type = "command",
    doc = "What starts the daemon, as a program or a list of words; `--stdio` and settings are appended. "
      .. "Not set: the plugin's own .venv, then lofi.nvim/venv in stdpath('data'), then PATH.",
  },
  {
    name = "log.max_kb",
    type = "integer",
    min = 16,
    max = 65536,
    default = 512,
    doc = "The log starts afresh at this size; one older file is kept.",
  },

  {
    name = "default_backend",
    type = "string",
    enum = { "auto", "synth", "musicgen", "ace_step", "ace_step_15" },
    default = "auto",
    daemon = true,
    doc = "What makes the music when a request names no backend; auto takes musicgen once it is ready, else synth.",
  },
  {
    name = "device",
    type = "string",
    enum = { "auto", "cpu", "cuda", "mps" },
    default = "auto",
    daemon = true,
    doc = "Where neural backends run.",
  },
  {
    name = "execution_mode",
    type = "string",
    enum = { "cpu_only", "gpu_allowed" },
    default = "gpu_allowed",
    daemon = true,
    doc = "cpu_only promises that no GPU is touched.",
  },
  {
    name = "threads",
    type = "integer",
    min = 0,
    max = 1024,
    default = 0,
    daemon = true,
    doc = "CPU threads for generation; 0 leaves the choice to the libraries.",
  },
  {
    name = "cache.dir",
    type = "string",
    default = "",
    daemon = true,
    doc = "Where tracks are kept; empty = lofi.nvim in the platform's cache folder.",
  },
  {
    name = "cache.max_mb",
    type = "integer",
    min = 0,
    default = 4096,
    daemon = true,
    doc = "Above this size the tracks not heard for longest go, favourites never; 0 = no limit.",
  },
  {
    name = "cache.format",
    type = "string",
    enum = { "flac", "wav", "ogg", "mp3" },
    default = "flac",
    daemon = true,
    doc = "The format of new tracks.",
  },
  {
    name = "player.output",
    type = "string",
    enum = { "auto", "sounddevice", "miniaudio", "none" },
    default = "auto",
    daemon = true,
    doc = "How sound leaves the machine; none = never.",
  },
  {
    name = "player.volume",
    type = "number",
    min = 0,
    max = 1,
    default = 0.7,
    daemon = true,
    doc = "The volume to start with.",
  },
  {
    name = "player.device",
    type = "string",
    default = "",
    daemon = true,
    doc = "The sound device, by its name or a part of it that no other has; empty = the system's default.",
  },
  {
    name = "player.crossfade_sec",
    type = "number",
    min = 0,
    max = 30,
    default = 6,
    daemon = true,
    doc = "How long a track fades into the next; 0 joins them without a gap.",
  },
  {
    name = "player.resume",
    type = "boolean",
    default = false,
    daemon = true,
    doc = "Keep playlist, position and volume when the daemon leaves; its next start has them again, paused.",
  },
  {
    name = "player.pause_on_battery",
    type = "boolean",
    default = false,
    daemon = true,
    doc = "Pause when the machine is unplugged, go on when it is plugged in.",
  },
  {
    name = "player.quiet_hours",
    type = "string",
    default = "",
    daemon = true,
    doc = "Such as 22:00-07:00: no music starts by itself then; what you start plays.",
  },
  {
    name = "player.mpris",
    type = "boolean",
    default = true,
    daemon = true,
    doc = "Linux: obey media keys and playerctl, where the daemon was installed with the extra mpris.",
  },
  {
    name = "radio.strategy",
    type = "string",
    enum = { "same_prompt", "preset_cycle", "random_preset", "library" },
    default = "same_prompt",
    daemon = true,
    doc = "What the radio plays next, where |:LofiRadio| does not say.",
  },
  {
    name = "radio.duration_sec",
    type = "number",
    min = 5,
    max = 600,
    default = 180,
    daemon = true,
    doc = "Length of the tracks that the radio makes.",
  },
  {
    name = "radio.backend",
    type = "string",
    default = "",
    daemon = true,
    doc = "What makes the radio's tracks; empty = |lofi-default-backend|.",
  },
  {
    name = "daemon.shared",
    type = "boolean",
    default = true,
    daemon = true,
    doc = "One daemon for all of your editors (Linux, macOS), so that music outlives the editor; false = one each.",
  },
  {
    name = "worker_nice",
    type = "integer",
    min = 0,
    max = 19,
    default = 10,
    daemon = true,
    doc = "How much generation stands back for other programs; 0 = not at all, 19 = most.",
  },
  {
    name = "model_path",
    type = "string",
    default = "",
    daemon = true,
    doc = "Where models are kept; empty = models in the cache folder.",
  },
  {
    name = "ace_step_model_dir",
    type = "string",
    default = "",
    daemon = true,
    doc = "Where the ACE-Step models are; empty = ace-step in the cache folder.",
  },
  {
    name = "ace_step_default_steps",
    type = "integer",
    min = 1,
    max = 200,
    default = 60,
    daemon = true,
    doc = "ACE-Step v1: diffusion steps of a request that names none.",
  },
  {
    name = "ace_step_default_scheduler",
    type = "string",
    enum = { "euler", "heun", "pingpong" },
    default = "euler",
    daemon = true,
    doc = "ACE-Step v1: scheduler of a request that names none.",
  },
  {
    name = "ace_step_default_guidance",
    type = "number",
    min = 1,
    max = 30,
    default = 15,
    daemon = true,
    doc = "ACE-Step v1: guidance scale of a request that names none.",
  },
  {
    name = "latent_dir",
    type = "string",
    default = "",
    daemon = true,
    doc = "Where latents are kept; empty = latents in the cache folder.",
  },
  {
    name = "latent_ttl_hours",
    type = "number",
    min = -1,
    default = 24,
    daemon = true,
    doc = "Unpinned latents go after this time; 0 = at the next sweep, -1 = never.",
  },
  {
    name = "idle_unload_min",
    type = "number",
    min = 0,
    default = 15,
    daemon = true,
    doc = "Models leave memory after so many idle minutes; 0 = never.",
  },
  {
    name = "idle_timeout_sec",
    type = "number",
    min = 0,
    default = 600,
    daemon = true,
    doc = "A daemon that nobody uses any more leaves after this time.",
  },
}

---@type table<string, lofi.config.Entry>
local by_name = {}
---@type table<string, true>
local groups = {}
for _, entry in ipairs(M.schema) do
  by_name[entry.name] = entry
  local group = entry.name:match("^([^.]+)%.")
  if group then
    groups[group] = true
  end
end

---@return lofi.config.Resolved
local function with_defaults(given)
  local resolved = {}
  for _, entry in ipairs(M.schema) do
    if not entry.daemon then
      local value = given[entry.name]
      if value == nil then
        value = given.ascii and entry.ascii or entry.default
      end
      resolved[entry.name] = value
    end
  end
  return resolved
end

---@class lofi.config.Resolved: table<string, any> every setting of the plugin under its dotted name

---@type lofi.config.Resolved
M.current = with_defaults({})

---@type table<string, any> what the user set of the daemon's settings
local daemon_settings = {}

---@param path string
---@return string
local function unknown(path)
  local names = vim.tbl_keys(by_name)
  table.sort(names)
  local nearest = schema.nearest(path, names)
  return ("setup(): there is no option “%s”%s; see :help lofi-options"):format(
    path,
    nearest and (", perhaps “%s”"):format(nearest) or ""
  )
end

---@param opts table
---@param prefix string
---@param given table<string, any>
---@param problems string[]
local function collect(opts, prefix, given, problems)
  local keys = vim.tbl_keys(opts)
  table.sort(keys, function(a, b)
    return tostring(a) < tostring(b) -- a user's table may mix names and numbers
  end)
  for _, key in ipairs(keys) do
    local value, path = opts[key], prefix .. tostring(key)
    local entry = by_name[path]
    if entry then
      if schema.check(entry, value) then
        given[path] = value
      else
        local problem = "setup(): %s must be %s, not %s; the default is used"
        table.insert(problems, problem:format(path, schema.expects(entry), schema.show(value)))
      end
    elseif groups[path] and type(value) == "table" then
      collect(value, path .. ".", given, problems)
    elseif groups[path] then
      table.insert(
        problems,
        ("setup(): %s must be a table of options, not %s"):format(path, schema.show(value))
      )
    else
      table.insert(problems, unknown(path))
    end
  end
end

--- Take the user's options, all of them anew. What does not fit is left at its default.
---@param opts any
---@return string[] problems one line each
function M.set(opts)
  local problems, given = {}, {}
  if opts == nil then
    opts = {}
  end
  if type(opts) ~= "table" then
    table.insert(problems, ("setup(): options are a table, not %s"):format(schema.show(opts)))
    opts = {}
  end
  collect(opts, "", given, problems)
  M.current = with_defaults(given)
  daemon_settings = {}
  for name, value in pairs(given) do
    if by_name[name].daemon then
      daemon_settings[name] = value
    end
  end
  return problems
end

--- The daemon's settings that the user set, as `--set name=value` words in the schema's order.
---@return string[]
function M.daemon_args()
  local args = {}
  for _, entry in ipairs(M.schema) do
    local value = daemon_settings[entry.name]
    if value ~= nil then
      vim.list_extend(args, { "--set", ("%s=%s"):format(entry.name, tostring(value)) })
    end
  end
  return args
end

---@param name string
---@return lofi.config.Entry
function M.entry(name)
  return assert(by_name[name], name)
end

return M
