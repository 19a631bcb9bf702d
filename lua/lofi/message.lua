--- One line at the bottom of the screen, and never a hit-enter prompt: that would stop the editor, and every
--- client that talks to it, until a key is pressed.
local log = require("lofi.log")

local M = {}

local PREFIX = "lofi: "
local RULER_COLUMNS = 19
local MIN_COLUMNS = 10
local CORNER_SHARE, CORNER_COLUMNS, CORNER_EDGES = 0.4, 40, 4
local HOLD_MS = 4000
local HIGHLIGHT = {
  [vim.log.levels.WARN] = "WarningMsg",
  [vim.log.levels.ERROR] = "ErrorMsg",
}

---@class lofi.Message
---@field text string
---@field level integer

local held_until = 0 -- vim.uv.now(): a problem stays on screen so long

local queue = {} ---@type lofi.Message[]
local waiting = {} ---@type fun()[] for a line to write on
local flushing = false

---@param text string
---@return string
local function one_line(text)
  return vim.trim((text:gsub("%s+", " ")))
end

---@return boolean
local function on_screen()
  return #vim.api.nvim_list_uis() > 0
end

--- Whether a line that tells of progress may be drawn: not over a command being typed, nor over a problem that
--- has just been told.
---@return boolean
function M.progress_may_show()
  return M.line_is_free() and vim.uv.now() >= held_until
end

--- The longest beginning of `text` that is no wider than `columns`.
---@param text string
---@param columns integer
---@return string
local function beginning(text, columns)
  local kept = vim.fn.strcharpart(text, 0, columns)
  while vim.fn.strdisplaywidth(kept) > columns do
    kept = vim.fn.strcharpart(kept, 0, vim.fn.strchars(kept) - 1)
  end
  return kept
end

--- `text` cut to `columns`, with `mark` at its end if anything is lost.
---@param text string
---@param columns integer
---@param mark? string one column or none
---@return string
function M.cut(text, columns, mark)
  if vim.fn.strdisplaywidth(text) <= columns then
    return text
  elseif columns < 1 then
    return ""
  end
  return beginning(text, columns - 1) .. (mark or "…")
end

--- `text` in lines of at most `columns`: broken between words, and where one is longer, as paths and texts without
--- blanks are, within it.
---@param text string
---@param columns integer
---@return string[] at least one
function M.wrap(text, columns)
  local lines, line = {}, ""
  for word in text:gmatch("[^%s%c]+") do
    local longer = line == "" and word or line .. " " .. word
    if line ~= "" and vim.fn.strdisplaywidth(longer) > columns then
      table.insert(lines, line)
      longer = word
    end
    while columns > 1 and vim.fn.strdisplaywidth(longer) > columns do
      local piece = beginning(longer, columns)
      table.insert(lines, piece)
      longer = longer:sub(#piece + 1)
    end
    line = longer
  end
  table.insert(lines, line)
  return lines
end

--- Columns of a notification in a corner of the screen: what the plugins that draw them have room for by default.
---@return integer
function M.corner()
  return math.max(math.floor(vim.o.columns * CORNER_SHARE), CORNER_COLUMNS) - CORNER_EDGES
end

--- Whether something may be written over the last line now.
---@return boolean
function M.line_is_free()
  local mode = vim.api.nvim_get_mode()
  return not mode.blocking and not mode.mode:find("^[cr]") and vim.v.vim_did_enter == 1
end

--- Columns of the last line that a message may fill. Neovim draws the ruler of a floating window there without
--- counting it in v:echospace.
---@return integer
function M.room()
  local floating = vim.api.nvim_win_get_config(0).relative ~= ""
  return floating and vim.o.ruler and math.min(vim.v.echospace, vim.o.columns - RULER_COLUMNS)
    or vim.v.echospace
end

--- `text` cut so that it and `tail` fit into the last line, beside 'showcmd' and 'ruler'.
---@param text string
---@param tail? string what may not be cut, unless little else would be left
---@return string
function M.fit(text, tail)
  tail = tail or ""
  if not on_screen() then
    return text .. tail
  end
  local room = M.room()
  local left = room - vim.fn.strdisplaywidth(tail)
  if left < MIN_COLUMNS then
    return M.cut(text .. tail, room)
  end
  return M.cut(text, left) .. tail
end

--- Show `text` in place of what the last line shows; not kept in :messages.
---@param text string
---@param highlight? string
function M.show(text, highlight)
  -- A second message before the screen is drawn would be put below the first and scroll: draw first.
  vim.cmd.redraw()
  vim.api.nvim_echo({ { M.fit(text), highlight } }, false, {})
end

--- Put the whole of `text` into :messages. It is drawn for an instant, cut in the middle by 'shortmess' flag T;
--- without that flag, or with no line to draw on, a long text would open the prompt, so it is kept cut.
---@param text string
local function keep(text)
  if not on_screen() then
    return
  end
  local whole = vim.o.cmdheight > 0 and vim.o.shortmess:find("T", 1, true)
  vim.cmd.redraw()
  vim.cmd.echomsg(vim.fn.string(whole and text or M.fit(text)))
end

--- Neovim's own vim.notify echoes; one that a plugin put in its place (nvim-notify's is a table) has room for the whole
--- sentence.
---@return boolean
local function notify_is_builtin()
  return type(vim.notify) == "function" and debug.getinfo(vim.notify, "S").source:find("^@vim/") ~= nil
end

--- Hand all of them to the vim.notify that a plugin put in place.
---@param batch lofi.Message[]
---@return boolean ok false where it cannot take them
local function notify(batch)
  local cuts = require("lofi.progress.snacks").ready(false) -- its windows cut long lines
  for _, message in ipairs(batch) do
    local text = cuts and table.concat(M.wrap(message.text, M.corner()), "\n") or message.text
    local ok, err = pcall(vim.notify, text, message.level, { title = "lofi.nvim" })
    if not ok then
      log.write("error", "vim.notify failed: " .. tostring(err))
      return false
    end
  end
  return true
end

local flush

local function flush_soon()
  if not flushing then
    flushing = true
    vim.schedule(flush)
  end
end

function flush()
  flushing = false
  if #queue == 0 and #waiting == 0 then
    return
  end
  if not M.line_is_free() then
    vim.api.nvim_create_autocmd({ "VimEnter", "CmdlineLeave", "ModeChanged" }, {
      group = vim.api.nvim_create_augroup("lofi.message", { clear = true }),
      callback = flush_soon,
    })
    return
  end
  vim.api.nvim_create_augroup("lofi.message", { clear = true })
  local batch, calls = queue, waiting
  queue, waiting = {}, {}
  for _, call in ipairs(calls) do
    call()
  end
  if #batch == 0 then
    return
  end
  if not notify_is_builtin() and notify(batch) then
    return
  end
  local worst = batch[1]
  for _, message in ipairs(batch) do
    worst = message.level >= worst.level and message or worst
    keep(message.text)
  end
  if worst.level >= vim.log.levels.WARN then
    held_until = vim.uv.now() + HOLD_MS
  end
  local more = #batch > 1 and (" (+%d in :messages)"):format(#batch - 1) or ""
  M.show(M.fit(worst.text, more), HIGHLIGHT[worst.level])
end

--- Say `text` in one line, kept in :messages and in the log. Waits while the user types a command.
---@param text string
---@param level? integer vim.log.levels.*; INFO
function M.say(text, level)
  text = PREFIX .. one_line(text)
  level = level or vim.log.levels.INFO
  if log.open() then
    log.write("message", text)
  end
  table.insert(queue, { text = text, level = level })
  flush_soon()
end

--- Call `run` when the last line may be written on: now, or after the user has typed a command.
---@param run fun()
function M.when_free(run)
  if M.line_is_free() then
    run()
    return
  end
  table.insert(waiting, run)
  flush_soon()
end

--- Say that `what` (somebody's callback) failed: its first line here, the rest in the log.
---@param what string
---@param err any
function M.failed(what, err)
  if log.open() then
    log.write("error", ("%s failed: %s"):format(what, tostring(err)))
  end
  M.say(("%s failed: %s"):format(what, (tostring(err):match("[^\n]*"))), vim.log.levels.ERROR)
end

return M
