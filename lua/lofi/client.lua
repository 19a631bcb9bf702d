--- The daemon's life: started on first use, missed when it dies, let go when the editor leaves.
local config = require("lofi.config")
local events = require("lofi.events")
local locate = require("lofi.locate")
local log = require("lofi.log")
local message = require("lofi.message")
local mirror = require("lofi.mirror")
local rpc = require("lofi.rpc")
local state = require("lofi.state")

local M = {}

--- The version of the wire contract that this plugin speaks.
M.PROTOCOL = 1
local MAX_WAIT_SEC = 60

local connection ---@type lofi.Connection?
local last_words = "" -- of its stderr, for the line that tells of its death
local deaths = 0 -- in a row, each before it said anything
local not_before = 0 -- vim.uv.now() at which it may be started again

---@param how lofi.rpc.Exit
---@return string
local function describe(how)
  if how.signal and how.signal ~= 0 then
    return "signal " .. how.signal
  end
  return how.code and "exit code " .. how.code or "its output ended"
end

--- The daemon is gone: every job it left behind ends in an error, so that whoever waits for it goes on.
local function forget()
  for _, job in ipairs(vim.list_slice(state.current.jobs)) do
    events.emit("generation_error", {
      job_id = job.id,
      track_id = job.track_id,
      code = "DAEMON_EXITED",
      message = "lofi-daemon stopped before the track was finished; try again.",
    })
  end
  state.reset()
end

--- Say that the daemon failed, once for all who waited for it.
---@param text string
local function tell(text)
  state.fail("lofi-daemon", text)
  message.say(text, vim.log.levels.ERROR)
end

---@param dead lofi.Connection
---@param how lofi.rpc.Exit
local function on_exit(dead, how)
  log.write("client", ("daemon %d ended: %s"):format(dead.pid, describe(how)))
  events.emit("daemon_exited", { code = how.code, signal = how.signal, asked = how.asked })
  if how.asked then
    return -- what it was doing was forgotten when it was let go
  end
  connection = nil
  local was_busy = #state.current.jobs > 0 or state.current.playback.state ~= "stopped"
  forget()
  if how.answered then
    deaths = 0
    if how.code ~= 0 or was_busy then
      local text = "the daemon stopped (%s); the next command starts it again. :LofiLog says more."
      tell(text:format(describe(how)))
    end
    return
  end
  -- It died before its first word: trying again at every keystroke would only heat the room.
  deaths = deaths + 1
  local wait_sec = deaths > 1 and math.min(2 ^ deaths, MAX_WAIT_SEC) or 0
  not_before = vim.uv.now() + wait_sec * 1000
  local words = last_words ~= "" and ": " .. last_words or ""
  tell(("the daemon does not start (%s)%s. :LofiLog says more."):format(describe(how), words))
end

local told = {} ---@type table<string, true>

---@param method string
---@param params table
local function on_notification(method, params)
  mirror.apply(method, params)
  if method == "engine_notice" and params.message and not told[params.message] then
    told[params.message] = true
    local levels = { info = vim.log.levels.INFO, warn = vim.log.levels.WARN, error = vim.log.levels.ERROR }
    message.say(params.message, levels[params.level])
  end
  events.emit(method, params)
end

---@param from lofi.Connection
local function greet(from)
  from:request("ping", nil, function(err, result)
    if err or from ~= connection then
      return
    end
    deaths = 0
    state.update(function(now)
      now.daemon = {
        version = result.version,
        pid = result.pid,
        protocol = result.protocol,
        shared = result.shared,
        log = result.log,
      }
    end)
    if result.protocol ~= M.PROTOCOL then
      local text = "lofi-daemon %s speaks protocol %s, this plugin %d; run `%s` and restart Neovim."
      message.say(
        text:format(result.version, tostring(result.protocol), M.PROTOCOL, locate.install_command()),
        vim.log.levels.WARN
      )
    end
  end)
  from:request("get_backends", nil, function(err, result)
    if not err then
      state.update(function(now)
        now.backends, now.default_backend = result.backends, result.default_backend
      end)
    end
  end)
  from:request("volume_get", nil, function(err, result)
    if not err then
      mirror.apply("volume_changed", result)
    end
  end)
  -- a shared daemon may be at work already, for another editor
  from:request("playlist_get", nil, function(err, result)
    if not err and from == connection then
      mirror.apply("playlist_changed", result)
    end
  end)
  from:request("status", nil, function(err, result)
    if not err and from == connection then
      mirror.join(result)
      events.emit("daemon_joined", result)
    end
  end)
end

---@return lofi.Connection?, lofi.Error?
local function start()
  local wait_ms = not_before - vim.uv.now()
  if wait_ms > 0 then
    local text = "lofi-daemon keeps stopping; it can be tried again in %d s. :LofiLog says why."
    return nil, rpc.error("DAEMON_FAILING", text:format(math.ceil(wait_ms / 1000)))
  end
  local cmd, from = locate.daemon()
  if not cmd then
    return nil, rpc.error("DAEMON_MISSING", from --[[@as string]])
  end
  vim.list_extend(cmd, { "--stdio" })
  vim.list_extend(cmd, config.daemon_args())
  log.open()
  last_words = ""
  local started, reason
  -- Not in the editor's folder: Python must not meet the modules of a project that was only opened to be read.
  local home = vim.uv.os_homedir()
  started, reason = rpc.start(cmd, home and vim.fn.isdirectory(home) == 1 and home or nil, {
    notification = function(method, params)
      if started == connection then -- what was let go has nothing more to say
        on_notification(method, params)
      end
    end,
    stderr = function(text)
      last_words = text:match("([^\r\n]+)%s*$") or last_words
      log.write("daemon", text)
    end,
    stray = function(line)
      log.write("stray", line:sub(1, 500))
    end,
    failed = message.failed,
    exit = function(how)
      on_exit(started --[[@as lofi.Connection]], how)
    end,
  })
  if not started then
    return nil, rpc.error("DAEMON_MISSING", ("%s could not be started: %s"):format(cmd[1], reason))
  end
  connection = started
  log.write("client", ("started %s from %s, pid %d"):format(table.concat(cmd, " "), from, started.pid))
  vim.api.nvim_create_autocmd("VimLeavePre", {
    group = vim.api.nvim_create_augroup("lofi.client", { clear = true }),
    callback = M.leave,
  })
  greet(started)
  return started
end

--- Ask the daemon, starting it if none runs. `callback` is called once, on the main loop.
---@param method string
---@param params? table
---@param callback? lofi.rpc.Callback
function M.request(method, params, callback)
  local open, err = connection, nil
  if not open or not open:is_open() then
    open, err = start()
    if err then
      state.fail("lofi-daemon", err.message)
    end
  end
  if open then
    open:request(method, params, callback)
  elseif callback then
    vim.schedule(function()
      local ok, problem = xpcall(callback, debug.traceback, err)
      if not ok then
        message.failed("a callback", problem)
      end
    end)
  end
end

---@return boolean
function M.running()
  return connection ~= nil and connection:is_open()
end

--- End the daemon, for all who share it; the next request starts another, with the settings of then.
function M.shut_down()
  deaths, not_before = 0, 0
  if connection then
    connection:request("shutdown")
    connection:close()
    connection = nil
    forget()
  end
end

--- The editor leaves. A daemon of its own ends by itself when its stdin does; a shared one plays on. What is
--- requested by listeners of "editor_leaves" is still written, and carried out.
function M.leave()
  events.emit("editor_leaves", {})
  if connection then
    connection:close()
    connection = nil
  end
end

return M
