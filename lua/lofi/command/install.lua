--- :LofiInstall, and its log.
local install = require("lofi.install")
local words = require("lofi.command.words")

local COLUMNS, LINES = 90, 14

---@type table<string, string> by state
local LOOKS = { running = "LofiTitle", done = "LofiOk", failed = "LofiError", cancelled = "LofiWarn" }

--- Show what came, and follow it where the cursor is at the end.
---@param surface lofi.ui.Surface
---@param run lofi.install.Run
local function show(surface, run)
  local before = vim.api.nvim_buf_line_count(surface.buffer)
  surface:set(0, -1, run.lines)
  for _, window in ipairs(vim.fn.win_findbuf(surface.buffer)) do
    if vim.api.nvim_win_get_cursor(window)[1] >= math.min(before, #run.lines) then
      vim.api.nvim_win_set_cursor(window, { #run.lines, 0 })
    end
  end
  surface:repaint(0, -1)
end

---@param run lofi.install.Run
local function open_log(run)
  local ui = require("lofi.ui.surface")
  local frame = require("lofi.ui.frame")
  local surface, fresh, off
  surface, fresh = ui.open({
    name = "install",
    keys = {
      { "x", "cancel the installation", install.cancel },
      {
        { "q", "<Esc>" },
        "close; the installation goes on",
        function()
          surface:close()
        end,
      },
    },
    float = function()
      return frame.centre({ title = "install", footer = "x cancel  q close", width = COLUMNS, height = LINES })
    end,
    paint = function(row)
      local now = install.current or run
      local group = row == 0 and "LofiLabel"
        or row == #now.lines - 1 and now.state ~= "running" and LOOKS[now.state]
        or now.problems[row + 1] and "LofiWarn"
        or (now.lines[row + 1] or ""):match("^  ") and "LofiMuted"
      return group and { { 0, #(now.lines[row + 1] or ""), group } } or {}
    end,
    on_close = function()
      off()
    end,
  })
  if fresh then
    local window = assert(surface:window())
    vim.wo[window].wrap, vim.wo[window].linebreak = true, true -- it holds sentences
    vim.wo[window].fillchars = "eob: "
    off = require("lofi.events").on(install.CHANGED, function(now)
      show(surface, now)
    end)
  end
  show(surface, run)
end

---@param what string
local function start(what)
  require("lofi").install(what, function(err)
    if not err then
      return
    end
    if err.code == "INSTALL_RUNNING" then
      open_log(assert(install.current))
    end
    if not (install.current and install.current.what == what and install.current.state ~= "running") then
      words.complain(err) -- else it was shown as the end of what had begun
    end
  end)
  if install.current and install.current.state == "running" and install.current.what == what then
    open_log(install.current)
  end
end

local function confirm_uninstall()
  local venv = vim.fn.fnamemodify(require("lofi.locate").venv(), ":~")
  words.confirm(("Remove %s? The music stops."):format(venv), "Remove it", "Keep it", function()
    start("uninstall")
  end)
end

local function choose()
  local installed = install.installed()
  vim.ui.select(install.CHOICES, {
    prompt = "What shall be installed?",
    kind = "lofi_install",
    format_item = function(choice)
      local mark = installed[choice.name] and " (installed)" or ""
      return ("%-10s %s%s"):format(choice.name, choice.doc, mark)
    end,
  }, function(choice)
    if choice and choice.name == "uninstall" then
      confirm_uninstall()
    elseif choice then
      start(choice.name)
    end
  end)
end

---@type table<string, fun()>
local others = {
  [""] = choose,
  uninstall = confirm_uninstall,
  cancel = function()
    if not install.cancel() then
      words.say("no installation is at work.")
    end
  end,
  log = function()
    if install.current then
      open_log(install.current)
    else
      words.say("nothing was installed from this editor yet; :LofiInstall does it.")
    end
  end,
}

---@type table<string, lofi.Subcommand>
return {
  install = {
    run = function(args)
      local other = others[args]
      if other then
        other()
      else
        start(args)
      end
    end,
    complete = words.one_of({
      "acestep",
      "all",
      "cancel",
      "log",
      "musicgen",
      "synth",
      "uninstall",
      "upgrade",
    }),
  },
}
