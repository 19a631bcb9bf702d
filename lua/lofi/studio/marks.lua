--- What stands behind the lines of a pipeline: how far each stage is and what it made, and what ids are about.
local config = require("lofi.config")
local message = require("lofi.message")
local names = require("lofi.studio.names")
local stages = require("lofi.studio.stages")
local state = require("lofi.state")
local time = require("lofi.time")

local M = {}

local places = vim.api.nvim_create_namespace("lofi.studio.places")
local drawn = vim.api.nvim_create_namespace("lofi.studio.marks")

local TITLE, SHORT = 40, 12

--- Remember a line; the mark goes with it.
---@param buffer integer
---@param row integer from 0
---@param mark? integer the one to move there
---@return integer mark
function M.put(buffer, row, mark)
  return vim.api.nvim_buf_set_extmark(buffer, places, row, 0, { id = mark })
end

--- What all stages share.
---@param lines string[]
---@param blocks lofi.studio.Block[]
---@return string
function M.shared(lines, blocks)
  local said = vim.tbl_map(function(block)
    return stages.said(lines, block)
  end, stages.only(blocks, "shared"))
  return table.concat(said, "\n")
end

--- The results of the latest run by the row of the header that each stands at: first where a stage still says what it
--- said then, wherever it was moved to, then where its header was.
---@param studio lofi.studio.Studio
---@param lines string[]
---@param blocks lofi.studio.Block[]
---@return table<integer, lofi.studio.Result>
function M.match(studio, lines, blocks)
  local found, said = {}, {} ---@type table<integer, lofi.studio.Result>, table<integer, string>
  for _, block in ipairs(stages.only(blocks, "stage")) do
    said[block.header] = stages.said(lines, block)
  end
  local lost = {} ---@type { result: lofi.studio.Result, row: integer }[]
  for _, result in ipairs(studio.run or {}) do
    local at = vim.api.nvim_buf_get_extmark_by_id(studio.buffer, places, result.mark, {})[1]
    if at and said[at] == result.said and not found[at] then
      found[at] = result
    else
      table.insert(lost, { result = result, row = at })
    end
  end
  for _, one in ipairs(lost) do
    local row = vim.iter(pairs(said)):find(function(row, text)
      return text == one.result.said and not found[row]
    end)
    row = row or (said[one.row] and not found[one.row] and one.row)
    if row then
      found[row] = one.result
      M.put(studio.buffer, row, one.result.mark)
    end
  end
  return found
end

---@param length number
---@param id string
---@return string
local function track_text(length, id)
  return ("%s %s"):format(time.clock(length), id:sub(1, SHORT))
end

--- What has come of a stage, in pieces.
---@param result lofi.studio.Result
---@param edited boolean it says something else now
---@return string[][] chunks
local function told(result, edited)
  local chunks = {} ---@type string[][]
  local function add(text, group)
    table.insert(chunks, { "  " .. text, group })
  end
  if result.state == "waiting" then
    add(result.ahead and ("waiting, %d ahead"):format(result.ahead) or "waiting", "LofiMuted")
  elseif result.state == "running" and not result.percent then
    local loading = state.current.loading
    add(loading and ("loading %s %s"):format(loading.backend, loading.model) or "begins", "LofiGenerating")
  elseif result.state == "running" then
    local left = result.eta_sec and (", %s left"):format(time.clock(math.ceil(result.eta_sec))) or ""
    local of_all = left ~= "" and result.more_stages and " in all" or ""
    add(("%d %%%s%s"):format(result.percent, left, of_all), "LofiGenerating")
  elseif result.state == "failed" then
    add("failed: " .. (result.message or "nobody knows why"), "LofiError")
  elseif result.state == "cancelled" then
    add("cancelled", "LofiWarn")
  else
    local took = result.seconds and (" in %.1f s"):format(result.seconds) or ""
    add(result.cached and "done, from the library" or "done" .. took, "LofiOk")
  end
  local first = result.tracks[1]
  if first then
    add(track_text(first.duration_sec, first.id), "LofiTime")
  end
  if #result.tracks > 1 then
    add(("and %d more"):format(#result.tracks - 1), "LofiTime")
  end
  if result.latent_id then
    add(("%s %s"):format(config.current["icons.latent"], result.latent_id:sub(1, SHORT)), "LofiLatent")
  end
  if result.checkpoint_id then
    local step = result.checkpoint_step and (" after step %d"):format(result.checkpoint_step) or ""
    local text = "%s %s%s"
    add(text:format(config.current["icons.latent"], result.checkpoint_id:sub(1, SHORT), step), "LofiLatent")
  end
  if edited then
    add("edited since", "LofiMuted")
  end
  return chunks
end

---@param prompt string
---@return string
local function title(prompt)
  local cut = config.current.ascii and "" or nil
  return message.cut(vim.trim((prompt:gsub("[%s%c]+", " "))), TITLE, cut)
end

--- What a value is about that does not say so itself.
---@param block lofi.studio.Block
---@param name string
---@return string?
local function about(block, name)
  local value = stages.plain(block.fields[name])
  local field = value and names.field(name)
  if name == "t_start" and block.fields.init_latent_id and (tonumber(value) or 0) >= 1 then
    return "the latent is not used: lower it to resume"
  elseif not field or not value then
    return nil
  elseif field.names == "track" then
    local track = names.track(value)
    return track and ("%s, %s"):format(title(track.prompt), time.clock(track.duration_sec))
  elseif field.names == "latent" then
    local latent = names.latent(value)
    local step = latent and latent.is_checkpoint and ", checkpoint after step " .. latent.checkpoint_step
      or ""
    return latent and title(latent.params.prompt) .. step
  end
end

--- Draw all of them anew.
---@param studio lofi.studio.Studio
function M.draw(studio)
  if not studio:is_open() then
    return
  end
  local buffer = studio.buffer
  local lines = vim.api.nvim_buf_get_lines(buffer, 0, -1, false)
  local blocks = stages.blocks(lines)
  local results, shared = M.match(studio, lines, blocks), M.shared(lines, blocks)
  vim.api.nvim_buf_clear_namespace(buffer, drawn, 0, -1)
  local function behind(row, chunks)
    vim.api.nvim_buf_set_extmark(buffer, drawn, row, 0, { virt_text = chunks, hl_mode = "combine" })
  end
  for _, block in ipairs(blocks) do
    if block.kind == "stage" then
      local chunks = { { "stage " .. block.index, "LofiMuted" } }
      local result = results[block.header]
      if result then
        local edited = result.said ~= stages.said(lines, block) or result.shared ~= shared
        vim.list_extend(chunks, told(result, edited))
      end
      behind(block.header, chunks)
    end
    for name, field in pairs(block.fields) do
      local text = about(block, name)
      if text then
        behind(field.row, { { text, "LofiMuted" } })
      end
    end
  end
end

return M
