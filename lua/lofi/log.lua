--- The plugin's log: what the daemon writes to stderr, and details that one-line messages leave out.
local config = require("lofi.config")
local uv = vim.uv

local M = {}

-- Needed in luv callbacks, where vim.fn is out of reach.
local path = vim.fs.joinpath(vim.fn.stdpath("log") --[[@as string]], "lofi.log")

local OWNER_ONLY = tonumber("600", 8) -- prompts are private

local file ---@type integer?
local size = 0

---@return string
function M.path()
  return path
end

--- Open the log for writing; call on the main loop before `write`.
---@return boolean ok
function M.open()
  if not file then
    pcall(vim.fn.mkdir, vim.fs.dirname(path), "p")
    file = uv.fs_open(path, "a", OWNER_ONLY)
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
  file = uv.fs_open(path, "a", OWNER_ONLY)
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
  local block, max_bytes = table.concat(lines), config.current["log.max_kb"] * 1024
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

return M
