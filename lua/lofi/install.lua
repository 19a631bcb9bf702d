--- :LofiInstall: what `make install` does in a shell, beside the editor, with a log to look at.
local events = require("lofi.events")
local locate = require("lofi.locate")
local rpc = require("lofi.rpc")

local M = {}

--- What can be installed, with what it costs (measured on Linux without CUDA, which is another 3 GB to fetch).
---@type { name: string, doc: string }[]
M.CHOICES = {
  { name = "synth", doc = "the built-in composer: 60 MB to fetch, 250 MB on disk" },
  { name = "musicgen", doc = "also what MusicGen needs: 0.3 GB to fetch, 1.3 GB on disk" },
  { name = "acestep", doc = "also what ACE-Step needs: 0.3 GB to fetch, 1.3 GB on disk" },
  { name = "all", doc = "all of it, and media keys on Linux" },
  { name = "upgrade", doc = "the newest packages that what is there works with" },
  { name = "uninstall", doc = "remove what was installed; tracks, models and settings stay" },
}

local KILL_AFTER_MS = 3000
local PROBLEM_LINES = 3

---@class lofi.install.Run
---@field what string
---@field lines string[] what is shown
---@field problems table<integer, true> which of them came from stderr
---@field state "running"|"done"|"failed"|"cancelled"
---@field log string path
---@field private package? string that is being fetched
---@field private file? integer
---@field private process? vim.SystemObj
---@field private cancelled? boolean
---@field private task lofi.progress.Task
---@field private callback fun(err: lofi.Error?, result: { what: string, venv: string }?)

--- What was installed before, by name.
---@return table<string, true>
function M.installed()
  local found = {}
  if vim.uv.fs_stat(vim.fs.joinpath(locate.venv(), ".installed")) then
    found.synth = true
    local file = io.open(vim.fs.joinpath(locate.venv(), ".extras"))
    for name in (file and file:read("*a") or ""):gmatch("%a+") do
      found[name] = true
    end
    if file then
      file:close()
    end
  end
  return found
end

--- The one that runs, or the last one.
---@type lofi.install.Run?
M.current = nil

--- The event after each of its lines, for Lua listeners.
M.CHANGED = "install_changed"

--- How to get a program that is missing.
---@param program string
---@return string
local function how_to_get(program)
  if vim.fn.has("mac") == 1 then
    return "xcode-select --install"
  end
  for manager, words in pairs({ ["apt-get"] = "install", dnf = "install", pacman = "-S", zypper = "install" }) do
    if vim.fn.executable(manager) == 1 then
      return ("sudo %s %s %s"):format(manager, words, program)
    end
  end
  return "your system's package manager"
end

--- Why nothing can be installed here.
---@return string?
local function obstacle()
  if vim.fn.has("win32") == 1 then
    return "there is no make on Windows; install the daemon with pip and set daemon.cmd, see :help lofi-installation."
  elseif vim.fn.filereadable(vim.fs.joinpath(locate.root, "Makefile")) == 0 then
    return ("%s has no Makefile; whatever installed the plugin without it has to bring lofi-daemon too."):format(
      locate.root
    )
  elseif vim.fn.executable("make") == 0 then
    return ("make is missing. Install it with: %s"):format(how_to_get("make"))
  end
end

---@param run lofi.install.Run
---@param line string
---@param problem? boolean
local function add(run, line, problem)
  table.insert(run.lines, line)
  run.problems[#run.lines] = problem
  if run.file then
    vim.uv.fs_write(run.file, line .. "\n")
  end
  events.emit(M.CHANGED, run)
end

--- A line of what make says: shown, and told where progress is shown. Of pip's count of bytes only the latter.
---@param run lofi.install.Run
---@param line string
---@param problem boolean
local function take(run, line, problem)
  local done, size = line:match("^Progress (%d+) of (%d+)$")
  if done and run.package then
    local megabytes = ("%d of %d MB"):format(tonumber(done) / 1e6, tonumber(size) / 1e6)
    run.task:report({ message = ("fetching %s, %s"):format(run.package, megabytes) })
    return
  end
  add(run, line, problem or nil)
  if problem or line == "" then
    return
  end
  local package = line:match("^  (.*)")
  run.package = package and package:match("^(.*) %(") -- "torch 2.13.0 (191.8 MB)"
  run.task:report({ message = run.package and "fetching " .. package or package or line })
end

--- A reader of a pipe that hands on whole lines, on the main loop.
---@param run lofi.install.Run
---@param problem boolean
---@return fun(err: string?, data: string?)
local function reader(run, problem)
  local rest = ""
  return function(_, data)
    rest = rest .. (data or (rest ~= "" and "\n" or ""))
    local lines = {}
    for line in rest:gmatch("([^\n]*)\n") do
      table.insert(lines, (line:gsub("\r", "")))
    end
    rest = rest:match("[^\n]*$")
    vim.schedule(function()
      for _, line in ipairs(lines) do
        take(run, line, problem)
      end
    end)
  end
end

--- What went wrong, in the words of those who know: the last lines of stderr, without make's own.
---@param run lofi.install.Run
---@param code integer
---@return string
local function reason(run, code)
  local words = {}
  for i = #run.lines, 1, -1 do
    local line = vim.trim(run.lines[i])
    if run.problems[i] and line ~= "" and not line:match("^g?make[:%[]") then
      table.insert(words, 1, line)
    end
    if #words == PROBLEM_LINES then
      break
    end
  end
  return #words > 0 and table.concat(words, " ") or ("make ended with exit code %d."):format(code)
end

--- Let a daemon that runs take what is new: at once if that disturbs nobody.
---@param told fun(note: string)
local function renew_daemon(told)
  if not require("lofi.client").running() then
    told("")
    return
  end
  require("lofi").status(function(err, status)
    local queue = status and status.queue.pending or {}
    local music = status and status.playback.track_id
    if err then
      told("")
    elseif music or status.generation or #queue > 0 or next(require("lofi.state").current.downloads) then
      told(" The daemon that runs takes it with :Lofi restart.")
    else
      require("lofi").restart()
      told("")
    end
  end)
end

---@param run lofi.install.Run
---@param state "done"|"failed"|"cancelled"
---@param text string
---@param code? string
local function finish(run, state, text, code)
  run.state = state
  add(run, text, state == "failed" or nil)
  if run.file then
    vim.uv.fs_close(run.file)
    run.file = nil
  end
  pcall(vim.api.nvim_del_augroup_by_name, "lofi.install")
  run.task:finish(text, state == "done" and "success" or state)
  run.callback(
    code and rpc.error(code, text) or nil,
    not code and { what = run.what, venv = locate.venv() } or nil
  )
end

---@param run lofi.install.Run
---@param code integer
local function on_exit(run, code)
  if run.cancelled then
    finish(
      run,
      "cancelled",
      "cancelled; the next :LofiInstall goes on from what was fetched.",
      "INSTALL_CANCELLED"
    )
  elseif code ~= 0 then
    local text = ("%s failed: %s :LofiInstall log shows all of it."):format(run.what, reason(run, code))
    finish(run, "failed", text, "INSTALL_FAILED")
  elseif run.what == "uninstall" then
    finish(run, "done", "the daemon is uninstalled. :LofiInstall log shows what was kept.")
  else
    renew_daemon(function(note)
      local done = run.what == "upgrade" and "upgraded." or ("%s is installed."):format(run.what)
      finish(run, "done", done .. note)
    end)
  end
end

--- The process and all it started: pip is a grandchild.
---@param run lofi.install.Run
---@param signal string
local function kill(run, signal)
  if run.process and run.state == "running" then
    pcall(vim.uv.kill, -run.process.pid, signal)
  end
end

--- End the installation that runs. What was fetched is kept.
---@return boolean cancelled
function M.cancel()
  local run = M.current
  if not run or run.state ~= "running" then
    return false
  end
  run.cancelled = true
  kill(run, "sigterm")
  vim.defer_fn(function()
    kill(run, "sigkill")
  end, KILL_AFTER_MS)
  return true
end

---@param what string
---@return string[]
local function make_words(what)
  local cmd = { "make", what }
  if what ~= "upgrade" and what ~= "uninstall" then
    cmd = { "make", "install", "EXTRAS=" .. what }
  end
  if locate.venv() ~= vim.fs.joinpath(locate.root, ".venv") then
    table.insert(cmd, "VENV=" .. locate.venv())
  end
  return cmd
end

--- Install, upgrade or uninstall; one at a time. `callback` is called at the end of it.
---@param what string a name of M.CHOICES
---@param callback fun(err: lofi.Error?, result: { what: string, venv: string }?)
function M.run(what, callback)
  local function refuse(code, text)
    vim.schedule(function()
      callback(rpc.error(code, text))
    end)
  end
  local known = vim.tbl_map(function(choice)
    return choice.name
  end, M.CHOICES)
  local problem = obstacle()
  if not vim.list_contains(known, what) then
    refuse(
      "INSTALL_FAILED",
      ("there is no “%s” to install; there are %s."):format(what, table.concat(known, ", "))
    )
    return
  elseif M.current and M.current.state == "running" then
    refuse("INSTALL_RUNNING", ("%s is at work already; :LofiInstall log shows it."):format(M.current.what))
    return
  elseif problem then
    refuse("INSTALL_FAILED", problem)
    return
  end
  local log = vim.fs.joinpath(vim.fn.stdpath("log") --[[@as string]], "lofi-install.log")
  pcall(vim.fn.mkdir, vim.fs.dirname(log), "p")
  local run = {
    what = what,
    lines = {},
    problems = {},
    state = "running",
    log = log,
    file = vim.uv.fs_open(log, "w", tonumber("600", 8)),
    task = require("lofi.progress").task({
      title = (what == "upgrade" or what == "uninstall") and "lofi: " .. what or "installing " .. what,
    }),
    callback = callback,
  }
  M.current = run
  if what == "uninstall" then
    require("lofi.client").shut_down()
  end
  local cmd = make_words(what)
  add(run, ("%s  (in %s)"):format(table.concat(cmd, " "), vim.fn.fnamemodify(locate.root, ":~")))
  local ok, process = pcall(vim.system, cmd, {
    cwd = locate.root,
    detach = true, -- a process group of its own, so that all of it can be ended
    -- what is emptied is of a make that this editor was started by
    env = { MAKEFLAGS = "", MFLAGS = "", MAKELEVEL = "0", LOFI_PROGRESS = "1" },
    stdout = reader(run, false),
    stderr = reader(run, true),
  }, function(done)
    vim.schedule(function()
      on_exit(run, done.code ~= 0 and done.code or done.signal)
    end)
  end)
  if not ok then
    finish(run, "failed", ("make could not be started: %s"):format(process), "INSTALL_FAILED")
    return
  end
  run.process = process
  vim.api.nvim_create_autocmd("VimLeavePre", {
    group = vim.api.nvim_create_augroup("lofi.install", { clear = true }),
    callback = function()
      kill(run, "sigterm")
    end,
  })
end

return M
