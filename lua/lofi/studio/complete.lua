--- <C-x><C-o> in the studio: names of fields, and their values. All of it is the daemon's: which fields there are, for
--- which backends, and what they may be.
local message = require("lofi.message")
local names = require("lofi.studio.names")
local stages = require("lofi.studio.stages")
local state = require("lofi.state")
local time = require("lofi.time")

local M = {}

local TITLE, SHORT = 40, 12

---@class lofi.studio.Item
---@field word string
---@field abbr? string
---@field menu? string
---@field info? string

--- The field whose value the cursor is in, what stands before it, and where it begins.
---@param before string the line up to the cursor
---@return string? name, string? start, integer? at from 0
local function value_at(before)
  local name, rest = before:match("^%s*([%w_-]+)%s*=%s*(.*)$")
  if not name then
    return nil
  end
  local item = rest:match("^%[.*,%s*(.-)$") or rest:match("^%[%s*(.-)$") or rest -- of a list
  return name, item, #before - #item
end

--- What a stage says for a field, else what all share.
---@param blocks lofi.studio.Block[]
---@param block lofi.studio.Block?
---@param name string
---@return string?
local function said(blocks, block, name)
  local shared = stages.only(blocks, "shared")[1]
  return stages.plain(block and block.fields[name]) or stages.plain(shared and shared.fields[name])
end

--- The backend of a block; none where it is left to the daemon and not known.
---@param blocks lofi.studio.Block[]
---@param block lofi.studio.Block?
---@return string?
function M.backend(blocks, block)
  return said(blocks, block, "backend") or state.current.default_backend
end

---@param field lofi.StageField
---@return string
local function range(field)
  local kind = field.type
  if field.minimum and field.maximum then
    return ("%s, %g to %g"):format(kind, field.minimum, field.maximum)
  end
  return kind
end

--- Names of fields that the block does not have yet.
---@param blocks lofi.studio.Block[]
---@param block lofi.studio.Block?
---@return lofi.studio.Item[]
local function field_items(blocks, block)
  local backend, items = M.backend(blocks, block), {} ---@type string?, lofi.studio.Item[]
  local shared = not block or block.kind == "shared"
  for _, field in ipairs(names.fields) do
    local fits = shared or not backend or vim.list_contains(field.backends, backend)
    if fits and not (block and block.fields[field.name]) then
      table.insert(
        items,
        { word = field.name .. " = ", abbr = field.name, menu = range(field), info = field.purpose }
      )
    end
  end
  return items
end

---@param prompt string
---@return string
local function title(prompt)
  return message.cut(vim.trim((prompt:gsub("[%s%c]+", " "))), TITLE)
end

---@return lofi.studio.Item[]
local function tracks()
  return vim.tbl_map(function(track)
    local menu = ("%s, %s"):format(title(track.prompt), time.clock(track.duration_sec))
    return { word = track.id:sub(1, SHORT), menu = menu, info = track.prompt }
  end, names.tracks)
end

---@return lofi.studio.Item[]
local function latents()
  return vim.tbl_map(function(latent)
    local step = latent.is_checkpoint and ("after step %d, "):format(latent.checkpoint_step) or ""
    local menu = ("%s%s, %s"):format(step, title(latent.params.prompt), latent.model_variant)
    return { word = latent.id:sub(1, SHORT + 1), menu = menu, info = latent.params.prompt }
  end, names.latents)
end

--- Stages that come before the block.
---@param blocks lofi.studio.Block[]
---@param block lofi.studio.Block?
---@return lofi.studio.Item[]
local function earlier(blocks, block)
  local items = {} ---@type lofi.studio.Item[]
  for _, one in ipairs(stages.only(blocks, "stage")) do
    if one == block then
      break
    end
    local kind = said(blocks, one, "stage_type") or "generate"
    table.insert(items, {
      word = tostring(one.index),
      menu = ("%s, %s"):format(kind, title(said(blocks, one, "prompt") or "")),
    })
  end
  return items
end

--- What the value of a field may be.
---@param blocks lofi.studio.Block[]
---@param block lofi.studio.Block?
---@param field lofi.StageField
---@return lofi.studio.Item[]
local function value_items(blocks, block, field)
  if field.names == "track" then
    return tracks()
  elseif field.names == "latent" then
    return latents()
  elseif field.names == "stage" then
    return earlier(blocks, block)
  end
  local words = field.choices_of[M.backend(blocks, block) or ""] or field.choices
  if field.type == "boolean" then
    words = { "true", "false" }
  end
  return vim.tbl_map(function(word)
    return { word = word }
  end, words)
end

--- Headers that may begin here.
---@param blocks lofi.studio.Block[]
---@return lofi.studio.Item[]
local function headers(blocks)
  local items = { { word = "[[stages]]", menu = "a stage" } }
  if #stages.only(blocks, "shared") == 0 then
    table.insert(items, { word = "[shared]", menu = "what all stages share" })
  end
  return items
end

---@param items lofi.studio.Item[]
---@param start string
---@return lofi.studio.Item[]
local function beginning_with(items, start)
  local lead = start:lower()
  return vim.tbl_filter(function(item)
    return vim.startswith(item.word:lower(), lead)
  end, items)
end

--- Whether a row is inside a text of several lines.
---@param block lofi.studio.Block?
---@param row integer from 0
---@return boolean
local function in_text(block, row)
  return vim.iter(pairs(block and block.fields or {})):any(function(_, field)
    return row > field.row and row <= field.last
  end)
end

--- What can stand at a place, and where it begins; nil where nothing can be said.
---@param lines string[]
---@param row integer from 0
---@param before string the line up to the cursor
---@return integer? at from 0
---@return lofi.studio.Item[]
function M.at(lines, row, before)
  local blocks = stages.blocks(lines)
  local block = stages.at(blocks, row)
  if in_text(block, row) or before:find("^%s*#") then
    return nil, {}
  elseif before:find("^%s*%[") then
    local start = before:match("%[.*$")
    return #before - #start, beginning_with(headers(blocks), start)
  end
  local name, start, at = value_at(before)
  if not name then
    local word = before:match("^%s*([%w_-]*)$")
    return word and #before - #word, word and beginning_with(field_items(blocks, block), word) or {}
  end
  local field = names.field(name)
  if not field then
    return nil, {}
  end
  local quote, rest = start:match("^([\"']?)(.*)$")
  local is_text = field.type == "text" or field.type == "list"
  local items = beginning_with(value_items(blocks, block, field), rest)
  if is_text then
    local mark = quote ~= "" and quote or '"'
    local closed = lines[row + 1]:sub(#before + 1, #before + 1) == mark
    for _, item in ipairs(items) do
      item.abbr = item.word
      item.word = mark .. item.word .. (closed and "" or mark)
    end
  end
  return at, items
end

--- 'omnifunc'.
---@param find integer 1: where does it begin; 0: what can it be
---@return integer|lofi.studio.Item[]
function M.omni(find)
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  local lines = vim.api.nvim_buf_get_lines(0, 0, -1, false)
  local before = lines[row]:sub(1, column)
  if find == 1 then
    M.found = { M.at(lines, row - 1, before) }
    return M.found[1] or -3
  end
  return M.found[2]
end

return M
