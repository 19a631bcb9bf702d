--- Where the daemon is on this machine.
local config = require("lofi.config")

local M = {}

local source = debug.getinfo(1, "S").source:sub(2)

--- The plugin's own folder.
M.root = vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.fs.normalize(vim.fn.fnamemodify(source, ":p")))))

---@param venv string
---@return string
local function in_venv(venv)
  local windows = vim.fn.has("win32") == 1
  return vim.fs.joinpath(venv, windows and "Scripts/lofi-daemon.exe" or "bin/lofi-daemon")
end

--- Where `make install` puts the environment that the daemon runs in: into the plugin's folder, or where that cannot
--- be written into stdpath('data').
---@return string
function M.venv()
  local own = vim.fs.joinpath(M.root, ".venv")
  if vim.fn.isdirectory(own) == 1 or vim.uv.fs_access(M.root, "W") then
    return own
  end
  return vim.fs.joinpath(vim.fn.stdpath("data") --[[@as string]], "lofi.nvim", "venv")
end

--- The programs that are tried, in order, with the words that say where they come from.
---@return { path: string, from: string }[]
function M.candidates()
  local data = vim.fn.stdpath("data") --[[@as string]]
  return {
    { path = in_venv(vim.fs.joinpath(M.root, ".venv")), from = "the plugin's .venv" },
    { path = in_venv(vim.fs.joinpath(data, "lofi.nvim", "venv")), from = "stdpath('data')" },
    { path = vim.fn.exepath("lofi-daemon"), from = "PATH" },
  }
end

--- The command that installs the daemon.
---@return string
function M.install_command()
  local venv = M.venv()
  local elsewhere = venv ~= vim.fs.joinpath(M.root, ".venv") and " VENV=" .. venv or ""
  return "make -C " .. vim.fn.fnamemodify(M.root, ":~") .. " install" .. elsewhere
end

--- The words that start the daemon, without flags.
---@return string[]? cmd
---@return string? from where it was found; without cmd the sentence that says what to do
function M.daemon()
  local set = config.current["daemon.cmd"]
  if set then
    local cmd = type(set) == "string" and { vim.fn.expand(set) } or vim.list_slice(set)
    local program = vim.fn.exepath(cmd[1]) -- absolute: the daemon does not run in the editor's folder
    if program ~= "" then
      cmd[1] = program
      return cmd, "daemon.cmd"
    end
    return nil, ("daemon.cmd names %s, which cannot be run; mend or remove it in setup()."):format(cmd[1])
  end
  for _, candidate in ipairs(M.candidates()) do
    if candidate.path ~= "" and vim.fn.executable(candidate.path) == 1 then
      return { candidate.path }, candidate.from
    end
  end
  return nil,
    ("lofi-daemon is not installed; run `%s` or :LofiInstall, then try again."):format(M.install_command())
end

return M
