--- The plugin's log: what the daemon writes to stderr, and details that one-line messages leave out.
local uv = vim.uv

local M = {}

-- Both are read in luv callbacks, where vim.fn is out of reach.
local path = vim.fs.joinpath(vim.fn.stdpath("log") --[[@as string]], "lofi.log")
local max_bytes = 512 * 1024

local file ---@type integer?
local size = 0

---@return string
function M.path()
  return path
end

---@param kilobytes integer
function M.limit(kilobytes)
  max_bytes = kilobytes * 1024
end

---@return boolean
local function open()
  if not file then
    vim.fn.mkdir(vim.fs.dirname(path), "p")
    file = uv.fs_open(path, "a", 384) -- 0600: prompts are private
    local stat = file and uv.fs_fstat(file)
    size = stat and stat.size or 0
  end
  return file ~= nil
end

local function turn_over()
  if file then
    uv.fs_close(file)
  end
  uv.fs_rename(path, path .. ".1")
  file = uv.fs_open(path, "a", 384)
  size = 0
end

--- Add `text`, each line with the time and `source`. Never fails: without a log the plugin still works.
--- Safe in luv callbacks once `M.open()` was called.
---@param source string
---@param text string
function M.write(source, text)
  if not file then
    return
  end
  local stamp = ("%s %d %s: "):format(os.date("%Y-%m-%d %H:%M:%S"), uv.os_getpid(), source)
  local lines = {}
  for line in text:gmatch("[^\r\n]+") do
    lines[#lines + 1] = stamp .. line .. "\n"
  end
  local block = table.concat(lines)
  if #block > max_bytes then
    block = block:sub(-max_bytes)
  end
  if size + #block > max_bytes then
    turn_over()
  end
  if file and uv.fs_write(file, block) then
    size = size + #block
  end
end

--- Open the log for writing; call on the main loop before `write`.
---@return boolean ok
function M.open()
  return open()
end

return M
