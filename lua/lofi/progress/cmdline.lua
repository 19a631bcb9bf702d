--- Progress in the last line of the screen, which has room for one task: the one that began last. Ends are messages.
local message = require("lofi.message")
local words = require("lofi.progress.words")

---@class lofi.progress.Line
---@field view lofi.progress.View

---@type lofi.progress.Sink
local M = { name = "cmdline" }

local END_MS = 2000

local running = {} ---@type lofi.progress.Line[] oldest first
local shown = ""
local end_until = 0 -- vim.uv.now(): other tasks leave the end of one on screen so long

function M.ready()
  return true
end

---@param view lofi.progress.View
---@return string
local function line(view)
  local percent = words.percent(view)
  local tail = view.message ~= "" and (" (%s)"):format(view.message) or ""
  return message.fit(("lofi %s"):format(percent and percent .. " " .. view.title or view.title), tail)
end

local function draw()
  local last = running[#running]
  if not last or not message.progress_may_show() or vim.uv.now() < end_until then
    return
  end
  local text = line(last.view)
  if text ~= shown then
    shown = text
    message.show(text)
  end
end

---@param entry lofi.progress.Line
local function drop(entry)
  for i, one in ipairs(running) do
    if one == entry then
      table.remove(running, i)
      return
    end
  end
end

---@param entry lofi.progress.Line?
---@param view lofi.progress.View
---@return lofi.progress.Line
function M.show(entry, view)
  if view.status ~= "running" then
    if entry then
      drop(entry)
    end
    shown, end_until = "", vim.uv.now() + END_MS
    if not view.told then
      message.say(words.ending(view), words.level(view))
    end
    return entry or { view = view }
  end
  if not entry then
    entry = { view = view }
    table.insert(running, entry)
    end_until = 0
  end
  draw()
  return entry
end

return M
