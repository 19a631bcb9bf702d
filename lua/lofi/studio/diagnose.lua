--- What is wrong with a pipeline, shown where it is wrong while it is written. The daemon reads it; the editor only
--- waits until the writer pauses.
local stages = require("lofi.studio.stages")
local words = require("lofi.command.words")

local M = {}

local PAUSE_MS = 200

local namespace = vim.api.nvim_create_namespace("lofi.studio")

---@param lines string[]
---@param blocks lofi.studio.Block[]
---@param problem lofi.PipelineProblem
---@return integer row from 0
local function row_of(lines, blocks, problem)
  if problem.line then
    return math.max(0, math.min(problem.line, #lines) - 1)
  end
  local index = problem.stage_index
  local block = vim.iter(blocks):find(function(block)
    return index and block.index == index or not index and block.kind == "shared"
  end)
  return block and block.header or 0
end

---@param studio lofi.studio.Studio
---@param problems lofi.PipelineProblem[]
local function put(studio, problems)
  local lines = vim.api.nvim_buf_get_lines(studio.buffer, 0, -1, false)
  local blocks = stages.blocks(lines)
  vim.diagnostic.set(
    namespace,
    studio.buffer,
    vim.tbl_map(function(problem)
      local row = row_of(lines, blocks, problem)
      local line = lines[row + 1] or ""
      return {
        lnum = row,
        col = math.max(0, math.min((problem.column or 1) - 1, #line)),
        end_col = #line,
        severity = vim.diagnostic.severity.ERROR,
        message = problem.message,
        code = problem.code,
        source = "lofi",
      }
    end, problems)
  )
end

--- Show why a pipeline was refused, if its text is to blame.
---@param studio lofi.studio.Studio
---@param err lofi.Error
function M.show(studio, err)
  local details = err.details or {}
  if details.stage_index or details.line then
    put(studio, {
      {
        field = err.field,
        code = err.code,
        message = err.message,
        line = details.line,
        column = details.column,
        stage_index = details.stage_index,
      },
    })
  end
end

--- Ask what is wrong, and ask again if it was changed meanwhile.
---@param studio lofi.studio.Studio
local function check(studio)
  studio.checking = true
  local tick = vim.api.nvim_buf_get_changedtick(studio.buffer)
  local text = table.concat(vim.api.nvim_buf_get_lines(studio.buffer, 0, -1, false), "\n")
  require("lofi").request("pipeline_check", { toml = text }, function(err, result)
    studio.checking = false
    if not studio:is_open() then
      return
    elseif vim.api.nvim_buf_get_changedtick(studio.buffer) ~= tick then
      M.soon(studio)
    elseif not err then
      put(studio, result.problems)
    elseif not studio.told then -- once, not at every pause
      studio.told = true
      words.complain(err)
    end
  end)
end

--- Look once the writer pauses.
---@param studio lofi.studio.Studio
function M.soon(studio)
  studio.due = (studio.due or 0) + 1
  local mine = studio.due
  vim.defer_fn(function()
    if studio.due == mine and studio:is_open() and not studio.checking then
      check(studio)
    end
  end, PAUSE_MS)
end

return M
