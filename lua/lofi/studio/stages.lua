--- Where the stages stand in the text of a pipeline. The daemon reads what they say; here only headers and
--- `name = value` lines are found, so that marks, completion and keys know where they are.
local M = {}

---@class lofi.studio.Field
---@field row integer from 0
---@field last integer row in which its value ends
---@field written string the value as it stands there, its first line

---@class lofi.studio.Block
---@field kind "shared"|"stage"
---@field index? integer of a stage, from 0
---@field first integer row of the comment right above its header, else the header's
---@field header integer row, from 0
---@field last integer row of its last line that is not blank
---@field fields table<string, lofi.studio.Field>

---@param line string
---@return "shared"|"stage"?
local function header(line)
  if line:find("^%s*%[%[%s*stages%s*%]%]") then
    return "stage"
  end
  return line:find("^%s*%[%s*shared%s*%]") and "shared" or nil
end

--- The quotes of a string over several lines that `text` opens and does not close.
---@param text string
---@return string?
local function opened(text)
  local at = 1
  while true do
    local from, to, quote = text:find("([\"'])", at)
    if not from or text:sub(at, from):find("#", 1, true) then
      return nil
    end
    local three = quote:rep(3)
    if text:sub(from, from + 2) == three then
      local _, stop = text:find(three, from + 3, true)
      if not stop then
        return three
      end
      at = stop + 1
    else
      local _, stop = text:find(quote, to + 1, true)
      if not stop then
        return nil
      end
      at = stop + 1
    end
  end
end

--- The row of the first line of the comment that ends right above `row`.
---@param lines string[]
---@param row integer from 0
---@return integer
local function comment_above(lines, row)
  while row > 0 and lines[row]:find("^%s*#") do
    row = row - 1
  end
  return row
end

--- The blocks of a pipeline, in their order.
---@param lines string[]
---@return lofi.studio.Block[]
function M.blocks(lines)
  local blocks, count = {}, 0 ---@type lofi.studio.Block[], integer
  local block, field, quote ---@type lofi.studio.Block?, lofi.studio.Field?, string?
  for i, line in ipairs(lines) do
    local row = i - 1
    local kind = not quote and header(line)
    if quote then -- lyrics hold what looks like headers: [verse]
      quote = not line:find(quote, 1, true) and quote or nil
      if field then
        field.last = row
      end
    elseif kind then
      block = { kind = kind, first = comment_above(lines, row), header = row, last = row, fields = {} }
      if kind == "stage" then
        block.index, count = count, count + 1
      end
      table.insert(blocks, block)
    else
      local name, value = line:match("^%s*([%w_-]+)%s*=%s*(.*)$")
      field = nil
      if name and block then
        field = { row = row, last = row, written = value }
        block.fields[name] = field
        quote = opened(value)
      end
    end
    if block and line:find("%S") then
      block.last = row
    end
  end
  for i = 1, #blocks - 1 do -- the comment above the next header is that one's
    local before, after = blocks[i], blocks[i + 1]
    if before.last >= after.first then
      before.last = after.first - 1
      while before.last > before.header and not lines[before.last + 1]:find("%S") do
        before.last = before.last - 1
      end
    end
  end
  return blocks
end

---@param buffer integer
---@return lofi.studio.Block[]
function M.of(buffer)
  return M.blocks(vim.api.nvim_buf_get_lines(buffer, 0, -1, false))
end

--- The block that a row belongs to; what stands above the first belongs to none.
---@param blocks lofi.studio.Block[]
---@param row integer from 0
---@return lofi.studio.Block?
function M.at(blocks, row)
  local found ---@type lofi.studio.Block?
  for _, block in ipairs(blocks) do
    found = block.first <= row and block or found
  end
  return found
end

---@param blocks lofi.studio.Block[]
---@param kind "shared"|"stage"
---@return lofi.studio.Block[]
function M.only(blocks, kind)
  return vim.tbl_filter(function(block)
    return block.kind == kind
  end, blocks)
end

--- What a value says, without its quotes and without a comment behind it; nil where it is a list or goes on below.
---@param field lofi.studio.Field?
---@return string?
function M.plain(field)
  local text = field and field.last == field.row and field.written
  if not text then
    return nil
  end
  return text:match('^"([^"]*)"') or text:match("^'([^']*)'") or text:match("^[^%s#%[{\"']+")
end

--- The words of the last stage that says some, else the shared ones.
---@param lines string[]
---@return string?
function M.prompt(lines)
  local found ---@type string?
  for _, block in ipairs(M.blocks(lines)) do
    found = M.plain(block.fields.prompt) or found
  end
  return found
end

--- What a block says, comments and blank lines left out: equal where the stage is the same.
---@param lines string[]
---@param block lofi.studio.Block
---@return string
function M.said(lines, block)
  local kept = {}
  for row = block.header, block.last do
    local line = vim.trim(lines[row + 1])
    if line ~= "" and not vim.startswith(line, "#") then
      table.insert(kept, line)
    end
  end
  return table.concat(kept, "\n")
end

--- Write `name = value`, in place of the one that is there, else below the header.
---@param buffer integer
---@param block lofi.studio.Block
---@param name string
---@param value string as TOML has it, and maybe a comment behind it
function M.set(buffer, block, name, value)
  local line, field = ("%s = %s"):format(name, value), block.fields[name]
  if field then
    vim.api.nvim_buf_set_lines(buffer, field.row, field.last + 1, false, { line })
  else
    vim.api.nvim_buf_set_lines(buffer, block.header + 1, block.header + 1, false, { line })
  end
end

--- Take fields out, each with its line.
---@param buffer integer
---@param block lofi.studio.Block
---@param names string[]
---@return integer count of those that were there
function M.unset(buffer, block, names)
  local found = {}
  for _, name in ipairs(names) do
    table.insert(found, block.fields[name])
  end
  table.sort(found, function(a, b)
    return a.row > b.row -- from below, so that the rows above stay true
  end)
  for _, field in ipairs(found) do
    vim.api.nvim_buf_set_lines(buffer, field.row, field.last + 1, false, {})
  end
  return #found
end

--- Put lines below a block, or at the end where there is none, with a blank line between.
---@param buffer integer
---@param block lofi.studio.Block?
---@param lines string[]
---@return integer row of the first of them
function M.insert(buffer, block, lines)
  local row = block and block.last + 1 or vim.api.nvim_buf_line_count(buffer)
  local before = vim.api.nvim_buf_get_lines(buffer, row - 1, row, false)[1]
  local new = vim.list_slice(lines)
  local lead = before and before:find("%S") and 1 or 0
  if lead == 1 then
    table.insert(new, 1, "")
  end
  vim.api.nvim_buf_set_lines(buffer, row, row, false, new)
  return row + lead
end

--- Two neighbours change places.
---@param buffer integer
---@param upper lofi.studio.Block
---@param lower lofi.studio.Block
---@return integer row that the header of the one below now has
function M.swap(buffer, upper, lower)
  local function part(first, last)
    return vim.api.nvim_buf_get_lines(buffer, first, last + 1, false)
  end
  local lines = part(lower.first, lower.last)
  vim.list_extend(lines, part(upper.last + 1, lower.first - 1))
  vim.list_extend(lines, part(upper.first, upper.last))
  vim.api.nvim_buf_set_lines(buffer, upper.first, lower.last + 1, false, lines)
  return upper.first + lower.header - lower.first
end

return M
