--- :LofiStudio: a pipeline as text in a buffer, and `:w` runs it.
local diagnose = require("lofi.studio.diagnose")
local highlight = require("lofi.ui.highlight")
local marks = require("lofi.studio.marks")
local names = require("lofi.studio.names")
local run = require("lofi.studio.run")
local stages = require("lofi.studio.stages")
local surface = require("lofi.ui.surface")
local words = require("lofi.command.words")

local M = {}

local NAME, FILETYPE = "lofi://studio", "lofi-studio"

local FRESH = {
  "# :w makes this, <C-x><C-o> completes names and values, g? lists the keys.",
  "",
  "[[stages]]",
  'prompt = "rainy night, mellow rhodes"',
  "# duration_sec = 60",
  '# backend = "synth"',
}

---@class lofi.studio.Studio
---@field buffer integer
---@field run? lofi.studio.Result[] of the latest run, a stage each
---@field job? string the latest run, while it goes on
---@field checking? boolean the daemon is reading it
---@field told? boolean it was said that the daemon cannot
---@field due? integer how often it was to be read
---@field off fun()
local Studio = {}
Studio.__index = Studio

local by_buffer = {} ---@type table<integer, lofi.studio.Studio>
local last ---@type integer? buffer of the one that was used last

---@return boolean
function Studio:is_open()
  return by_buffer[self.buffer] == self and vim.api.nvim_buf_is_loaded(self.buffer)
end

--- Nobody has written into it yet.
---@return boolean
function Studio:is_untouched()
  return vim.deep_equal(vim.api.nvim_buf_get_lines(self.buffer, 0, -1, false), FRESH)
end

--- The cursor's row, from 0, in the window that shows it, else where it was last.
---@return integer
function Studio:row()
  local window = self:window()
  if window then
    return vim.api.nvim_win_get_cursor(window)[1] - 1
  end
  return math.max(0, vim.api.nvim_buf_get_mark(self.buffer, '"')[1] - 1)
end

--- The stage of the cursor.
---@return lofi.studio.Block?
function Studio:stage()
  local block = stages.at(stages.of(self.buffer), self:row())
  return block and block.kind == "stage" and block or nil
end

--- A window of this tab page that shows it.
---@return integer?
function Studio:window()
  return vim.iter(vim.api.nvim_tabpage_list_wins(0)):find(function(window)
    return vim.api.nvim_win_get_buf(window) == self.buffer
  end)
end

--- Go to it, and to a row of it. Where a window shows another studio, it takes that.
---@param row? integer from 0
function Studio:show(row)
  local windows = vim.list_extend({ vim.api.nvim_get_current_win() }, vim.api.nvim_tabpage_list_wins(0))
  local window = self:window()
    or vim.iter(windows):find(function(window)
      return by_buffer[vim.api.nvim_win_get_buf(window)] ~= nil
    end)
  if window then
    vim.api.nvim_set_current_win(window)
  else
    vim.cmd("botright split")
  end
  vim.api.nvim_win_set_buf(0, self.buffer)
  if row then
    vim.api.nvim_win_set_cursor(0, { row + 1, 0 })
  end
end

--- Keep marks and diagnostics true to the text, whoever changes it.
---@param studio lofi.studio.Studio
local function follow(studio)
  local due = false
  local function changed()
    if by_buffer[studio.buffer] ~= studio then
      return true -- detaches
    elseif due then
      return
    end
    due = true
    vim.schedule(function()
      due = false
      marks.draw(studio)
      diagnose.soon(studio)
    end)
  end
  vim.api.nvim_buf_attach(studio.buffer, false, { on_lines = changed, on_reload = changed })
  changed()
end

---@param studio lofi.studio.Studio
local function watch(studio)
  local group = vim.api.nvim_create_augroup("lofi.studio." .. studio.buffer, { clear = true })
  local function on(event, callback)
    vim.api.nvim_create_autocmd(event, { group = group, buffer = studio.buffer, callback = callback })
  end
  on("BufEnter", function()
    last = studio.buffer
  end)
  on({ "BufDelete", "BufWipeout" }, function()
    by_buffer[studio.buffer] = nil
    last = last ~= studio.buffer and last or nil
    studio.off()
    vim.api.nvim_clear_autocmds({ group = group })
  end)
  if vim.bo[studio.buffer].buftype == "" then -- it has a file, which is written first
    on("BufWritePost", function(args)
      if args.match == vim.api.nvim_buf_get_name(studio.buffer) then -- not with :w {another}
        run.start(studio)
      end
    end)
    return
  end
  on("BufWriteCmd", function(args)
    if args.match:find("lofi://studio", 1, true) then
      vim.bo[studio.buffer].modified = false
      run.start(studio)
      return
    end
    local renamed = args.match == vim.api.nvim_buf_get_name(studio.buffer) -- :saveas, else :w {file}
    if renamed then
      vim.bo[studio.buffer].buftype = ""
      watch(studio)
    end
    local bang = (renamed or vim.v.cmdbang == 1) and "! " or " "
    local ok, problem = pcall(vim.cmd, "noautocmd write" .. bang .. vim.fn.fnameescape(args.match))
    if not ok then
      words.say((tostring(problem):gsub("^.-:(E%d+:)", "%1")), words.ERROR)
    end
  end)
end

--- Make a studio of a buffer.
---@param buffer integer
---@return lofi.studio.Studio
local function attach(buffer)
  if by_buffer[buffer] then
    return by_buffer[buffer]
  end
  highlight.define()
  local studio = setmetatable({ buffer = buffer }, Studio) --[[@as lofi.studio.Studio]]
  by_buffer[buffer], last = studio, buffer
  studio.off = names.follow(function()
    marks.draw(studio)
  end)
  surface.map(buffer, require("lofi.studio.keys")(studio))
  watch(studio)
  vim.bo[buffer].omnifunc = "v:lua.require'lofi.studio.complete'.omni"
  vim.bo[buffer].commentstring = "# %s"
  vim.treesitter.language.register("toml", FILETYPE)
  vim.bo[buffer].filetype = FILETYPE -- late: the user's own maps for it have the last word
  if not pcall(vim.treesitter.start, buffer, "toml") then
    vim.bo[buffer].syntax = "toml"
  end
  follow(studio)
  return studio
end

--- Begin with these lines; undoing goes back to them and no further.
---@param buffer integer
---@param lines string[]
local function fill(buffer, lines)
  local levels = vim.bo[buffer].undolevels
  vim.bo[buffer].undolevels = -1
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].undolevels = levels
  vim.bo[buffer].modified = false
end

--- A name that no studio has.
---@return string
local function free_name()
  local name, number = NAME, 1
  while vim.fn.bufexists(name) == 1 do
    number = number + 1
    name = ("%s/%d"):format(NAME, number)
  end
  return name
end

--- A studio without a file, that says `lines`.
---@param lines? string[]
---@return lofi.studio.Studio
function M.fresh(lines)
  local buffer = vim.api.nvim_create_buf(true, false)
  vim.api.nvim_buf_set_name(buffer, free_name())
  vim.bo[buffer].buftype = "acwrite"
  vim.bo[buffer].bufhidden = "hide"
  vim.bo[buffer].swapfile = false
  fill(buffer, lines or FRESH)
  return attach(buffer)
end

--- The studio that was used last, if one is left.
---@return lofi.studio.Studio?
function M.last()
  local studio = last and by_buffer[last]
  return studio and studio:is_open() and studio or nil
end

---@param path string
local function open_file(path)
  path = vim.fn.fnamemodify(path, ":p")
  local buffer = vim.fn.bufadd(path)
  if not by_buffer[buffer] then
    vim.cmd("noswapfile botright split " .. vim.fn.fnameescape(path))
    if vim.fn.filereadable(path) == 0 and not vim.bo[buffer].modified then
      fill(buffer, FRESH)
      vim.bo[buffer].modified = true
    end
  end
  attach(buffer):show()
end

--- Open a pipeline's file; without one the studio of the current buffer, the last one, or a fresh one.
---@param path? string ends in .lofi.toml
function M.open(path)
  local here = vim.api.nvim_get_current_buf()
  if path then
    open_file(path)
  elseif vim.api.nvim_buf_get_name(here):find("%.lofi%.toml$") then
    attach(here)
  else
    (M.last() or M.fresh()):show()
  end
end

return M
