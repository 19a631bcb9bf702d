--- JSON-RPC 2.0 with a child process over its stdin and stdout, one object a line. Knows no method by name.
---
--- Reads arrive in pieces of any size; lines are joined, then handled on the main loop in slices, so that
--- neither a burst of notifications nor a huge reply holds up typing.
local M = {}

local MAX_LINE = 8 * 1024 * 1024
local SLICE_NS = 4e6
--- After the first sign of the end, for the others to come: a grandchild may hold stderr open for ever.
local GRACE_MS = 300

---@class lofi.Error
---@field code string name from the wire's error table, or DAEMON_MISSING, DAEMON_EXITED, DAEMON_FAILING
---@field message string one sentence
---@field number? integer JSON-RPC code
---@field field? string the parameter at fault
---@field details? table
local Error = {}
Error.__index = Error
function Error.__tostring(err)
  return err.message
end

---@param code string
---@param message string
---@param more? { number?: integer, field?: string, details?: table }
---@return lofi.Error
function M.error(code, message, more)
  return setmetatable(vim.tbl_extend("keep", { code = code, message = message }, more or {}), Error)
end

---@class lofi.rpc.Exit
---@field code? integer
---@field signal? integer
---@field asked boolean whether close() was called
---@field answered boolean whether it ever said a word

---@class lofi.rpc.Handlers
---@field notification fun(method: string, params: table) main loop
---@field exit fun(how: lofi.rpc.Exit) main loop, once; every pending callback was called before
---@field stderr fun(text: string) luv callback
---@field stray fun(line: string) main loop; a line that is no message
---@field failed fun(what: string, err: any) main loop; a callback raised an error

---@alias lofi.rpc.Callback fun(err: lofi.Error?, result: any)

---@class lofi.Connection
---@field pid integer
---@field private _process uv.uv_process_t
---@field private _stdin uv.uv_pipe_t
---@field private _handlers lofi.rpc.Handlers
---@field private _pending table<integer, lofi.rpc.Callback>
---@field private _next_id integer
---@field private _partial string[] pieces of a line whose end has not come yet
---@field private _partial_size integer
---@field private _lines string[]
---@field private _head integer next of `_lines` to handle
---@field private _draining boolean
---@field private _how lofi.rpc.Exit
---@field private _open table<string, true> which of "stdout", "stderr" and "process" are not at their end
---@field private _ending boolean the first of them is
---@field private _ended boolean nothing more will be read
---@field private _finished boolean
local Connection = {}
Connection.__index = Connection

--- Start `cmd` and talk to it. Raises nothing; the second value says why it could not start.
---@param cmd string[]
---@param cwd string? the process runs there
---@param handlers lofi.rpc.Handlers
---@return lofi.Connection?, string? reason
function M.start(cmd, cwd, handlers)
  local self = setmetatable({
    _handlers = handlers,
    _pending = {},
    _next_id = 1,
    _partial = {},
    _partial_size = 0,
    _lines = {},
    _head = 1,
    _draining = false,
    _how = { asked = false, answered = false },
    _open = { stdout = true, stderr = true, process = true },
    _ending = false,
    _ended = false,
    _finished = false,
  }, Connection)
  -- Not vim.system, which tells the exit status only when stderr is closed too, and a child of the process may
  -- outlive it by seconds.
  local stdin, stdout, stderr =
    assert(vim.uv.new_pipe()), assert(vim.uv.new_pipe()), assert(vim.uv.new_pipe())
  local process, pid = vim.uv.spawn(cmd[1], {
    args = vim.list_slice(cmd, 2),
    cwd = cwd,
    stdio = { stdin, stdout, stderr },
    hide = true,
  }, function(code, signal)
    self._how.code, self._how.signal = code, signal
    self._process:close()
    self:_at_end("process")
  end)
  if not process then
    for _, pipe in ipairs({ stdin, stdout, stderr }) do
      pipe:close()
    end
    return nil, tostring(pid)
  end
  self._process, self._stdin, self.pid = process, stdin, pid --[[@as integer]]
  self:_listen(stdout, "stdout", function(data)
    self:_read(data)
  end)
  self:_listen(stderr, "stderr", handlers.stderr)
  return self
end

--- Send a request. `callback` is called exactly once, on the main loop, whatever happens.
---@param method string
---@param params? table
---@param callback? lofi.rpc.Callback
function Connection:request(method, params, callback)
  callback = callback or function() end
  local line, err = self:_encode(method, params)
  if not line or self._finished then
    err = err or M.error("DAEMON_EXITED", "lofi-daemon has stopped; the next command starts it again.")
    vim.schedule(function()
      self:_call(callback, err)
    end)
    return
  end
  self._pending[self._next_id] = callback
  self._next_id = self._next_id + 1
  -- a process that is gone answers nothing more: whoever waits is told at its end
  if not self._stdin:is_closing() then
    self._stdin:write(line)
  end
end

---@return boolean
function Connection:is_open()
  return not self._finished
end

--- Close stdin, which ends the process; waiting callbacks get an error. Does not wait for it.
function Connection:close()
  self._how.asked = true
  self:_close_stdin()
end

---@private
function Connection:_close_stdin()
  local stdin = self._stdin
  if stdin:is_closing() then
    return
  end
  local shut = stdin:shutdown(function() -- what was written goes out first
    if not stdin:is_closing() then
      stdin:close()
    end
  end)
  if not shut then
    stdin:close()
  end
end

---@private
---@return string?, lofi.Error?
function Connection:_encode(method, params)
  local message = {
    jsonrpc = "2.0",
    id = self._next_id,
    method = method,
    -- an empty Lua table would be encoded as a list
    params = (params and next(params)) and params or vim.empty_dict(),
  }
  local ok, line = pcall(vim.json.encode, message)
  if not ok then
    return nil, M.error("INVALID_PARAMS", "The request cannot be sent: " .. tostring(line))
  end
  -- Sent raw, such a line could not be answered: its id would be lost with the rest of it.
  if line:find("[\128-\255]") and not pcall(vim.fn.json_encode, line) then
    return nil, M.error("INVALID_PARAMS", "The request holds text that is not valid UTF-8.")
  end
  if #line > MAX_LINE then
    return nil, M.error("INVALID_PARAMS", "The request is longer than 8 MiB.")
  end
  return line .. "\n"
end

---@private
---@param pipe uv.uv_pipe_t
---@param name "stdout"|"stderr"
---@param heard fun(data: string) luv callback
function Connection:_listen(pipe, name, heard)
  pipe:read_start(function(_, data)
    if data then
      heard(data)
    else
      pipe:close()
      self:_at_end(name)
    end
  end)
end

---@private
---@param data string
function Connection:_read(data)
  local from = 1
  while true do
    local newline = data:find("\n", from, true)
    local piece = data:sub(from, newline and newline - 1)
    self._partial_size = self._partial_size + #piece
    if self._partial_size <= MAX_LINE then
      self._partial[#self._partial + 1] = piece
    end
    if not newline then
      break
    end
    if self._partial_size <= MAX_LINE then
      self._lines[#self._lines + 1] = table.concat(self._partial)
    else
      self._lines[#self._lines + 1] = ("(a line of %d bytes, skipped)"):format(self._partial_size)
    end
    self._partial, self._partial_size = {}, 0
    from = newline + 1
  end
  if self._head <= #self._lines then
    self:_drain_soon()
  end
end

---@private
function Connection:_drain_soon()
  if not self._draining then
    self._draining = true
    vim.schedule(function()
      self:_drain()
    end)
  end
end

---@private
function Connection:_drain()
  local deadline = vim.uv.hrtime() + SLICE_NS
  self._draining = false
  while self._head <= #self._lines do
    local line = self._lines[self._head]
    self._head = self._head + 1
    self:_handle(line)
    if vim.uv.hrtime() > deadline then
      -- by way of the loop: vim.schedule alone would go on before keys are looked at
      self._draining = true
      vim.defer_fn(function()
        self:_drain()
      end, 1)
      return
    end
  end
  self._lines, self._head = {}, 1
  if self._ended then
    self:_finish()
  end
end

---@private
---@param line string
function Connection:_handle(line)
  local ok, message = pcall(vim.json.decode, line, { luanil = { object = true } })
  if not ok or type(message) ~= "table" then
    self._handlers.stray(line)
  elseif type(message.method) == "string" and message.id == nil then
    self._how.answered = true
    local params = type(message.params) == "table" and message.params or {}
    local done, err = xpcall(self._handlers.notification, debug.traceback, message.method, params)
    if not done then
      self._handlers.failed("handling " .. message.method, err)
    end
  elseif self._pending[message.id] then
    self._how.answered = true
    local callback = self._pending[message.id]
    self._pending[message.id] = nil
    self:_call(callback, self._error_of(message), message.result)
  else
    self._handlers.stray(line)
  end
end

---@private
---@return lofi.Error?
function Connection._error_of(message)
  local err = message.error
  if type(err) ~= "table" then
    return nil
  end
  local data = type(err.data) == "table" and err.data or {}
  return M.error(tostring(data.code or err.code), tostring(err.message), {
    number = err.code,
    field = data.field,
    details = data.details,
  })
end

---@private
---@param callback lofi.rpc.Callback
---@param err lofi.Error?
---@param result any
function Connection:_call(callback, err, result)
  local ok, problem = xpcall(callback, debug.traceback, err, result)
  if not ok then
    self._handlers.failed("a callback", problem)
  end
end

--- The process, its stdout or its stderr is at its end. The end is told when all three are, or soon after.
---@private
---@param which "process"|"stdout"|"stderr"
function Connection:_at_end(which)
  self._open[which] = nil
  if next(self._open) == nil then
    vim.schedule(function()
      self:_end()
    end)
  elseif which ~= "stderr" and not self._ending then
    self._ending = true
    vim.defer_fn(function()
      self:_end()
    end, GRACE_MS)
  end
end

--- What was read is handled first, then the end is told.
---@private
function Connection:_end()
  self._ended = true
  if self._head > #self._lines then
    self:_finish()
  end
end

---@private
function Connection:_finish()
  if self._finished then
    return
  end
  self._finished = true
  self:_close_stdin()
  if not self._how.code then
    self._process:kill("sigterm")
  end
  local pending = self._pending
  self._pending = {}
  local ids = vim.tbl_keys(pending)
  table.sort(ids)
  for _, id in ipairs(ids) do
    self:_call(pending[id], M.error("DAEMON_EXITED", "lofi-daemon stopped before it answered; try again."))
  end
  self._handlers.exit(self._how)
end

return M
