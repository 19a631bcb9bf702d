--- What setup() takes for the plugin itself.
---@type lofi.config.Entry[]
return {
  {
    name = "auto_play",
    type = "boolean",
    default = true,
    doc = "Play a track as soon as it is finished.",
  },
  {
    name = "progress",
    type = "string",
    enum = { "auto", "fidget", "snacks", "mini", "notify", "native", "cmdline", "none" },
    default = "auto",
    doc = "Where progress is shown: auto takes what is installed, see |lofi-progress-sinks|; cmdline is one line at "
      .. "the bottom of the screen; none is nowhere, and events go on.",
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
    name = "icons.error",
    type = "string",
    default = "✗",
    ascii = "!",
    doc = "Statusline: before what went wrong.",
  },
  {
    name = "icons.favorite",
    type = "string",
    default = "♥",
    ascii = "*",
    doc = "Library: a favourite.",
  },
  {
    name = "icons.latent",
    type = "string",
    default = "◆",
    ascii = "+",
    doc = "Library: a track whose latent is kept, so that it can be taken up again.",
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
}
