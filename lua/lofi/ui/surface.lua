--- A buffer of lofi's own, in a window or a float: its name, its keys with `g?` to list them, its lines, and colours
--- painted only where they are seen, so that ten thousand lines cost what a screenful costs.
local highlight = require("lofi.ui.highlight")

local M = {}

---@class lofi.ui.Key
---@field [1] string|string[] left-hand sides, in Normal mode
---@field [2] string what it does, for `g?`
---@field [3] fun()
---@field visual? string left-hand side of the same in Visual mode, for the selected lines (Surface:range)

---@class lofi.ui.Paint
---@field [1] integer first byte, from 0
---@field [2] integer end byte
---@field [3] string highlight group

---@class lofi.ui.SurfaceOpts
---@field name string the buffer is called lofi://name, its filetype is lofi-name
---@field keys lofi.ui.Key[]
---@field float? fun(): vim.api.keyset.win_config its place, asked again when the screen changes; nil = a split
---@field paint? fun(row: integer): lofi.ui.Paint[] colours of a line (from 0), asked when it is drawn
---@field right? fun(row: integer): string[][]? chunks of virtual text at the right edge of a line
---@field on_close? fun() the buffer is gone; called once

---@class lofi.ui.Surface
---@field buffer integer
---@field opts lofi.ui.SurfaceOpts
local Surface = {}
Surface.__index = Surface

local namespace = vim.api.nvim_create_namespace("lofi.ui")
local by_buffer = {} ---@type table<integer, lofi.ui.Surface>
local by_name = {} ---@type table<string, lofi.ui.Surface>

local provider_set = false

--- Colours are given while a line is drawn and forgotten after.
local function set_provider()
  if provider_set then
    return
  end
  provider_set = true
  vim.api.nvim_set_decoration_provider(namespace, {
    on_win = function(_, _, buffer)
      return by_buffer[buffer] ~= nil
    end,
    on_line = function(_, _, buffer, row)
      local surface = by_buffer[buffer]
      if not surface then
        return
      end
      local paint, right = surface.opts.paint, surface.opts.right
      for _, span in ipairs(paint and paint(row) or {}) do
        vim.api.nvim_buf_set_extmark(buffer, namespace, row, span[1], {
          end_col = span[2],
          hl_group = span[3],
          ephemeral = true,
          strict = false,
        })
      end
      local chunks = right and right(row)
      if chunks then
        vim.api.nvim_buf_set_extmark(buffer, namespace, row, 0, {
          virt_text = chunks,
          virt_text_pos = "right_align",
          ephemeral = true,
        })
      end
    end,
  })
end

--- The lines of `g?`.
---@param keys lofi.ui.Key[]
---@return string[]
local function key_lines(keys)
  local lines, width = {}, 0
  local names = vim.tbl_map(function(key)
    local name = type(key[1]) == "table" and table.concat(key[1], " ") or key[1] --[[@as string]]
    name = name:gsub("<LocalLeader>", function()
      return vim.fn.keytrans(vim.g.maplocalleader or "\\")
    end)
    if key.visual and key.visual ~= name then
      name = ("%s {Visual}%s"):format(name, key.visual)
    end
    width = math.max(width, vim.fn.strdisplaywidth(name))
    return name
  end, keys)
  for i, key in ipairs(keys) do
    lines[i] = (" %s%s  %s"):format(names[i], (" "):rep(width - vim.fn.strdisplaywidth(names[i])), key[2])
  end
  return lines
end

--- Give a buffer its keys, and `g?` to list them.
---@param buffer integer
---@param keys lofi.ui.Key[]
function M.map(buffer, keys)
  local function map(mode, lhs, doc, run)
    vim.keymap.set(mode, lhs, run, { buffer = buffer, nowait = true, silent = true, desc = "lofi: " .. doc })
  end
  for _, key in ipairs(keys) do
    local sides = key[1]
    for _, lhs in ipairs(type(sides) == "table" and sides or { sides }) do
      map("n", lhs, key[2], key[3])
    end
    if key.visual then
      map("x", key.visual, key[2], key[3])
    end
  end
  map("n", "g?", "these keys", function()
    require("lofi.view").open("keys", key_lines(keys))
  end)
end

---@param surface lofi.ui.Surface
local function watch(surface)
  local group = vim.api.nvim_create_augroup("lofi.ui." .. surface.opts.name, { clear = true })
  vim.api.nvim_create_autocmd("BufWipeout", {
    group = group,
    buffer = surface.buffer,
    callback = function()
      by_buffer[surface.buffer] = nil
      by_name[surface.opts.name] = nil
      vim.api.nvim_clear_autocmds({ group = group })
      if surface.opts.on_close then
        surface.opts.on_close()
      end
    end,
  })
  if surface.opts.float then
    vim.api.nvim_create_autocmd("VimResized", {
      group = group,
      callback = function()
        surface:place()
      end,
    })
  end
end

---@param surface lofi.ui.Surface
local function show(surface)
  local window
  if surface.opts.float then
    window = vim.api.nvim_open_win(surface.buffer, true, surface.opts.float())
  else
    vim.cmd("botright split")
    window = vim.api.nvim_get_current_win()
    vim.api.nvim_win_set_buf(window, surface.buffer)
  end
  for option, value in pairs({
    number = false,
    relativenumber = false,
    signcolumn = "no",
    foldcolumn = "0",
    foldenable = false,
    list = false,
    spell = false,
    wrap = false,
    cursorline = true,
  }) do
    vim.api.nvim_set_option_value(option, value, { win = window, scope = "local" })
  end
end

--- Open the surface of that name, or go to the one that is open.
---@param opts lofi.ui.SurfaceOpts
---@return lofi.ui.Surface surface
---@return boolean fresh it was not open before
function M.open(opts)
  local open = by_name[opts.name]
  if open then
    local window = open:window()
    if window then
      vim.api.nvim_set_current_win(window)
    else
      show(open)
    end
    return open, false
  end
  highlight.define()
  set_provider()
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_name(buffer, "lofi://" .. opts.name)
  local surface = setmetatable({ buffer = buffer, opts = opts }, Surface)
  by_buffer[buffer], by_name[opts.name] = surface, surface
  vim.bo[buffer].bufhidden = "wipe"
  vim.bo[buffer].buftype = "nofile"
  vim.bo[buffer].swapfile = false
  vim.bo[buffer].undolevels = -1
  vim.bo[buffer].modifiable = false
  show(surface)
  M.map(buffer, opts.keys)
  watch(surface)
  vim.bo[buffer].filetype = "lofi-" .. opts.name -- last: the user's own maps for it have the last word
  return surface, true
end

--- The open surface of that name.
---@param name string
---@return lofi.ui.Surface?
function M.get(name)
  return by_name[name]
end

---@return boolean
function Surface:is_open()
  return by_buffer[self.buffer] == self
end

--- A window that shows it, of this tab page if there is one.
---@return integer?
function Surface:window()
  local windows = vim.fn.win_findbuf(self.buffer)
  for _, window in ipairs(windows) do
    if vim.api.nvim_win_get_tabpage(window) == vim.api.nvim_get_current_tabpage() then
      return window
    end
  end
  return windows[1]
end

--- Put a float where `opts.float` says.
function Surface:place()
  local window = self:window()
  if window and self.opts.float then
    vim.api.nvim_win_set_config(window, self.opts.float())
  end
end

--- Replace the lines from `first` (from 0) up to `last` (not included, -1 = the end).
---@param first integer
---@param last integer
---@param lines string[] without line breaks
function Surface:set(first, last, lines)
  if not self:is_open() then
    return
  end
  vim.bo[self.buffer].modifiable = true
  vim.api.nvim_buf_set_lines(self.buffer, first, last, false, lines)
  vim.bo[self.buffer].modifiable = false
  vim.bo[self.buffer].modified = false
end

--- Draw lines again whose colours changed and whose text did not.
---@param first integer from 0
---@param last integer not included, -1 = the end
function Surface:repaint(first, last)
  if self:is_open() then
    vim.api.nvim__redraw({ buf = self.buffer, range = { first, last } })
  end
end

--- The cursor's line, from 0, in the window that shows it.
---@return integer
function Surface:row()
  local window = self:window()
  return window and vim.api.nvim_win_get_cursor(window)[1] - 1 or 0
end

--- The lines that a key is meant for, from 0, both included: the selected ones (Visual mode ends then), else as
--- many as its count says from the cursor on.
---@return integer first, integer last
function Surface:range()
  local first, last = self:row(), self:row() + vim.v.count1 - 1
  if vim.api.nvim_get_mode().mode:find("^[vV\22]") then
    first, last = vim.fn.line("v") - 1, vim.fn.line(".") - 1
    first, last = math.min(first, last), math.max(first, last)
    vim.cmd.normal({ "\27", bang = true })
    vim.api.nvim_win_set_cursor(0, { first + 1, 0 }) -- as Vim's own commands do
  end
  return first, math.min(last, vim.api.nvim_buf_line_count(self.buffer) - 1)
end

--- The lines that are on the screen, from 0, both included; none where no window of this tab page shows it.
---@return integer? first, integer? last
function Surface:visible()
  local first, last ---@type integer?, integer?
  for _, window in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
    if vim.api.nvim_win_get_buf(window) == self.buffer then
      first = math.min(first or math.huge, vim.fn.line("w0", window) - 1)
      last = math.max(last or 0, vim.fn.line("w$", window) - 1)
    end
  end
  return first, last
end

function Surface:close()
  if self:is_open() then
    vim.api.nvim_buf_delete(self.buffer, { force = true })
  end
end

return M
