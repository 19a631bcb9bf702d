--- `:checkhealth lofi`: what was found, what it means, and the command that mends it.
local M = {}

local health = vim.health
local WAIT_MS = 5000

local function check_neovim()
  health.start("Neovim")
  local version = tostring(vim.version())
  if vim.fn.has("nvim-0.11") == 1 then
    health.ok("Neovim " .. version)
  else
    health.error(
      ("Neovim %s is too old"):format(version),
      "Install 0.11 or newer: https://neovim.io/doc/install"
    )
  end
end

---@return boolean found
local function check_daemon_found()
  health.start("Daemon")
  local locate = require("lofi.locate")
  local cmd, from = locate.daemon()
  if not cmd then
    health.error(from --[[@as string]], "Run: " .. locate.install_command())
    return false
  end
  health.ok(("found in %s: %s"):format(from, table.concat(cmd, " ")))
  local settings = require("lofi.config").daemon_args()
  if #settings > 0 then
    health.info("settings passed to it: " .. table.concat(settings, " "):gsub("%-%-set ", ""))
  end
  return true
end

--- The only place where the plugin waits: a report has to be complete when it is shown.
---@param methods string[]
---@return table<string, any> results, lofi.Error? err the first one
local function ask_all(methods)
  local results, failed, open = {}, nil, #methods
  for _, method in ipairs(methods) do
    require("lofi").request(method, nil, function(err, result)
      results[method], failed, open = result, failed or err, open - 1
    end)
  end
  vim.wait(WAIT_MS, function()
    return open == 0
  end, 10)
  return results, failed
end

---@param ping table
local function report_version(ping)
  local client = require("lofi.client")
  if ping.protocol == client.PROTOCOL then
    health.ok(("answers: version %s, protocol %d, pid %d"):format(ping.version, ping.protocol, ping.pid))
    if ping.shared then
      health.info("one daemon serves all editors (daemon.shared); its log is " .. (ping.log or "lost"))
    end
  else
    health.error(
      ("version %s speaks protocol %s, this plugin %d"):format(
        ping.version,
        tostring(ping.protocol),
        client.PROTOCOL
      ),
      "Run: " .. require("lofi.locate").install_command()
    )
  end
end

---@param playback table
local function report_sound(playback)
  health.start("Sound")
  if playback.state == "no_device" then
    health.warn(
      playback.message or "no sound device",
      "Tracks are made and kept all the same; `lofi export` copies them."
    )
  elseif playback.device then
    health.ok("plays through " .. playback.device)
  else
    health.info("no device is open: one is opened when something plays")
  end
end

---@param reply { backends: lofi.Backend[], default_backend: string }
local function report_backends(reply)
  health.start("Backends")
  for _, backend in ipairs(reply.backends) do
    local line = ("%s (%s): %s"):format(backend.type, backend.name, (backend.status:gsub("_", " ")))
    line = backend.message and line .. ". " .. backend.message or line
    if backend.status == "ready" then
      health.ok(line)
    elseif backend.type == reply.default_backend then
      health.error(line)
    else
      health.info(line)
    end
  end
  health.info(reply.default_backend .. " answers requests that name no backend")
end

---@param status table
local function report_library(status)
  health.start("Library")
  if status.cache.error then
    health.error(status.cache.error, "Set cache.dir in setup() to a folder you can write.")
  else
    health.ok(("tracks: %d, %.0f MB"):format(status.cache.count, status.cache.bytes / 1e6))
  end
end

local function report_log()
  health.start("Log")
  local path = require("lofi.log").path()
  if require("lofi.log").open() then
    health.ok(path)
  else
    health.warn(
      path .. " cannot be written",
      "Make its folder writable; without it errors lose their details."
    )
  end
end

function M.check()
  check_neovim()
  if check_daemon_found() then
    local results, err = ask_all({ "ping", "status", "get_backends" })
    if results.ping then
      report_version(results.ping)
    else
      local reason = err and err.message or ("it did not answer within %d s"):format(WAIT_MS / 1000)
      health.error(reason, "See :LofiLog; then :Lofi restart")
    end
    if results.status then
      report_sound(results.status.playback)
      report_library(results.status)
    end
    if results.get_backends then
      report_backends(results.get_backends)
    end
  end
  report_log()
end

return M
