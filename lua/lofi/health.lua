--- `:checkhealth lofi`: what was found, what it means, and the command that mends it. Neovim's side is looked at here;
--- the rest is what the daemon finds out about itself, in the words of `lofi doctor`.
local M = {}

local health = vim.health

--- The only place where the plugin waits, and for how long: a report has to be complete when it is shown.
M.wait_ms = 10000
local MARGIN_MS = 2000

---@return integer
local function now()
  return vim.uv.now()
end

local function check_neovim()
  health.start("Neovim")
  local version = tostring(vim.version()):gsub("%+.*", "") -- what follows is the build
  if vim.fn.has("nvim-0.11") == 1 then
    health.ok("Neovim " .. version)
  else
    health.error(
      ("Neovim %s is too old"):format(version),
      "Install 0.11 or newer: https://neovim.io/doc/install"
    )
  end
  for _, problem in ipairs(require("lofi.config").problems) do
    health.warn(problem, "Correct or remove it where setup() is called")
  end
  local log = require("lofi.log")
  if log.open() then
    health.ok("the plugin's log: " .. vim.fn.fnamemodify(log.path(), ":~"))
  else
    health.warn(
      log.path() .. " cannot be written",
      "Make its folder writable; without it errors lose their details"
    )
  end
end

--- Plugins that lofi.nvim works with, by a module of theirs. None is loaded by asking.
local INTEGRATIONS = {
  { "fidget", "fidget.nvim" },
  { "snacks", "snacks.nvim" },
  { "mini.notify", "mini.notify" },
  { "notify", "nvim-notify" },
  { "noice", "noice.nvim" },
  { "lualine", "lualine.nvim" },
  { "telescope", "telescope.nvim" },
}

---@param module string
---@return boolean
local function is_there(module)
  if package.loaded[module] then
    return true
  end
  local path = "lua/" .. module:gsub("%.", "/")
  return #vim.api.nvim_get_runtime_file(path .. ".lua", false) > 0
    or #vim.api.nvim_get_runtime_file(path .. "/init.lua", false) > 0
end

local function check_integrations()
  health.start("Other plugins")
  local config, found = require("lofi.config"), {}
  for _, integration in ipairs(INTEGRATIONS) do
    if is_there(integration[1]) then
      table.insert(found, integration[2])
    end
  end
  local names = #found > 0 and table.concat(found, ", ") or "none of those that it can work with"
  health.info("found: " .. names)
  local wanted, sink = config.current.progress, require("lofi.progress").sink()
  if wanted == "auto" or wanted == sink then
    health.ok(("progress is shown by %s (progress = “%s”)"):format(sink, wanted))
  else
    health.warn(
      ("progress = “%s”, which is not there: %s shows it instead"):format(wanted, sink),
      "Install that plugin, or set progress to “auto” in setup()"
    )
  end
end

--- Installs everything anew, with the extras that were chosen.
---@return string
local function reinstall_command()
  local locate = require("lofi.locate")
  local file = vim.fs.joinpath(locate.venv(), ".extras")
  local extras = vim.fn.filereadable(file) == 1 and vim.trim(vim.fn.readfile(file)[1] or "") or ""
  local command = locate.install_command():gsub(" install", " clean install", 1)
  return extras ~= "" and ("%s EXTRAS=%s"):format(command, (extras:gsub(" ", ","))) or command
end

---@return string[]? cmd
local function check_daemon_found()
  health.start("Daemon")
  local locate = require("lofi.locate")
  local cmd, from = locate.daemon()
  if not cmd then
    local set = require("lofi.config").current["daemon.cmd"] ~= nil
    local install = (set and "Without daemon.cmd the plugin's own is taken, which this installs: " or "Run: ")
    health.error(from --[[@as string]], install .. locate.install_command())
    return nil
  end
  local words = vim.tbl_map(function(word)
    return vim.fn.fnamemodify(word, ":~")
  end, cmd)
  health.ok(("found in %s: %s"):format(from, table.concat(words, " ")))
  local settings = require("lofi.config").daemon_args()
  if #settings > 0 then
    health.info("settings passed to it: " .. table.concat(settings, " "):gsub("%-%-set ", ""))
  end
  return cmd
end

---@class lofi.health.Answers
---@field results table<string, any>
---@field errors table<string, lofi.Error>

---@param requests table<string, table> the parameters of each method
---@param until_ms integer
---@return lofi.health.Answers
local function ask_all(requests, until_ms)
  local answers, open = { results = {}, errors = {} }, vim.tbl_count(requests)
  for method, params in pairs(requests) do
    require("lofi").request(method, params, function(err, result)
      answers.results[method], answers.errors[method], open = result, err, open - 1
    end)
  end
  vim.wait(math.max(until_ms - now(), 0), function()
    return open == 0
  end, 10)
  return answers
end

---@param ping table
local function report_version(ping)
  local client = require("lofi.client")
  local who = ("version %s, protocol %s, pid %s"):format(
    ping.version,
    tostring(ping.protocol),
    tostring(ping.pid)
  )
  if ping.protocol == client.PROTOCOL then
    health.ok(("answers: %s%s"):format(who, ping.shared and ", shared by all editors" or ""))
  else
    health.error(
      ("answers: %s; this plugin speaks protocol %d"):format(who, client.PROTOCOL),
      { "Run: " .. require("lofi.locate").install_command(), "Then: :Lofi restart" }
    )
  end
end

---@param findings lofi.Finding[]
---@param but? string a section that is left out
local function report(findings, but)
  local section
  for _, finding in ipairs(findings) do
    if finding.section ~= but then
      if finding.section ~= section then
        section = finding.section
        health.start(section)
      end
      local advice = finding.advice or {}
      if finding.level == "error" or finding.level == "warn" then
        health[finding.level](finding.text, #advice > 0 and advice or nil)
      else
        local lines = vim.list_extend(
          { finding.text },
          vim.tbl_map(function(step)
            return "- " .. step
          end, advice)
        )
        health[finding.level == "ok" and "ok" or "info"](table.concat(lines, "\n"))
      end
    end
  end
end

--- What a daemon tells that is too old to examine itself.
---@param until_ms integer
local function report_old(until_ms)
  local results = ask_all({ status = {}, get_backends = {} }, until_ms).results
  health.start("What this older daemon tells")
  health.info(
    "it cannot examine itself; " .. require("lofi.locate").install_command() .. " brings one that can"
  )
  local playback = results.status and results.status.playback
  if playback and playback.state == "no_device" then
    health.warn(playback.message or "no sound device")
  end
  local cache = results.status and results.status.cache
  if cache and cache.error then
    health.error(cache.error)
  elseif cache then
    health.ok(("tracks: %d, %.0f MB"):format(cache.count or 0, (cache.bytes or 0) / 1e6))
  end
  for _, backend in ipairs(results.get_backends and results.get_backends.backends or {}) do
    local status = (tostring(backend.status):gsub("_", " "))
    health.info(("%s: %s%s"):format(backend.type, status, backend.message and ". " .. backend.message or ""))
  end
end

--- The daemon does not start or does not answer: `lofi`, which lies beside it, can look without it.
---@param cmd string[]
---@param until_ms integer
local function report_without_daemon(cmd, until_ms)
  local lofi = vim.fs.joinpath(vim.fs.dirname(cmd[1]), "lofi")
  local left_ms = until_ms - now()
  if vim.fs.basename(cmd[1]) ~= "lofi-daemon" or vim.fn.executable(lofi) == 0 or left_ms < MARGIN_MS then
    return
  end
  local words = { lofi, "doctor", "--json", "--within", tostring((left_ms - MARGIN_MS / 2) / 1000) }
  vim.list_extend(words, require("lofi.config").daemon_args())
  local ok, done = pcall(function()
    return vim.system(words, { text = true, timeout = left_ms }):wait()
  end)
  local decoded, document = pcall(vim.json.decode, ok and done.stdout or "")
  if decoded and type(document) == "table" and document.findings then
    report(document.findings, "Neovim")
  end
end

---@param err? lofi.Error
---@param late string
---@return string
local function reason(err, late)
  return err and err.message or late
end

---@param cmd string[]
---@param until_ms integer
local function check_daemon(cmd, until_ms)
  local half_ms = (until_ms - now()) / 2 -- the other half is for whoever looks next
  local hello = ask_all({ ping = {} }, now() + half_ms)
  if not hello.results.ping then
    health.error(
      reason(hello.errors.ping, ("it did not answer within %.0f s"):format(half_ms / 1000)),
      { "See :LofiLog; then: :Lofi restart", "Or install it again: " .. reinstall_command() }
    )
    return report_without_daemon(cmd, until_ms)
  end
  report_version(hello.results.ping)
  local within_sec = math.max((until_ms - now() - MARGIN_MS) / 1000, 1)
  local answers = ask_all({ diagnose = { within_sec = within_sec } }, until_ms)
  local diagnosis, err = answers.results.diagnose, answers.errors.diagnose
  if diagnosis then
    report(diagnosis.findings)
  elseif err and err.code == "METHOD_NOT_FOUND" then
    report_old(until_ms)
  else
    health.warn(
      reason(err, ("it did not examine itself within %.0f s"):format(within_sec)),
      "In a shell this waits longer: lofi doctor --within 120"
    )
  end
end

function M.check()
  local until_ms = now() + M.wait_ms
  check_neovim()
  check_integrations()
  local cmd = check_daemon_found()
  if cmd then
    check_daemon(cmd, until_ms)
  end
end

return M
