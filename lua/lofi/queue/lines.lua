--- What the queue says, as lines: two for the job that runs, one for each that waits.
local bar = require("lofi.ui.bar")
local message = require("lofi.message")
local rows = require("lofi.ui.rows")
local state = require("lofi.state")
local time = require("lofi.time")

local M = {}

local NUMBER = 3 -- columns of a job's place in the line
local LENGTH = 6
local MIN_TITLE = 16
local BAR = 24

---@class lofi.queue.Model
---@field current? lofi.JobView
---@field pending lofi.JobView[]
---@field cancelling table<string, true> job ids
---@field asked boolean it has answered

--- Who asked for a job.
---@param id string
---@return string
function M.origin(id)
  if state.is_own(id) then
    return "here"
  end
  return vim.startswith(id, "radio-") and "radio" or "elsewhere"
end

---@class lofi.queue.Column
---@field width integer
---@field group string
---@field text fun(job: lofi.JobView): string

--- Between title and length; where there is no room the last ones go first.
---@type lofi.queue.Column[]
local COLUMNS = {
  {
    width = 7,
    group = "LofiMuted",
    text = function(job)
      return job.priority
    end,
  },
  {
    width = 10,
    group = "LofiMuted",
    text = function(job)
      return M.origin(job.job_id)
    end,
  },
  {
    width = 12,
    group = "LofiBackend",
    text = function(job)
      return job.backend
    end,
  },
}

---@param job lofi.JobView
---@param width integer
---@return lofi.ui.Row
local function job_row(job, width)
  local cells, left = {}, width - NUMBER - LENGTH - 2 ---@type lofi.ui.Piece[], integer
  for _, column in ipairs(COLUMNS) do
    if left - column.width >= MIN_TITLE then
      left = left - column.width
      table.insert(cells, { rows.fit(column.text(job), column.width), column.group })
    end
  end
  local running = job.position == 0
  local title = vim.trim(job.prompt):gsub("[%s%c]+", " ")
  return vim.list_extend({
    { rows.fit(running and "" or (" %d"):format(job.position), NUMBER), "LofiLabel" },
    { rows.fit(title, left - 1) .. " ", running and "LofiGenerating" or nil },
  }, vim.list_extend(cells, { { ("%6s"):format(time.clock(job.duration_sec)), "LofiTime" } }))
end

---@param job lofi.JobView the running one
---@param model lofi.queue.Model
---@param width integer
---@return lofi.ui.Row
local function bar_row(job, model, width)
  local notes = { ("%d %%"):format(job.percent) }
  if model.cancelling[job.job_id] then
    notes = { "stops at its next step" }
  elseif job.eta_sec then
    table.insert(notes, time.clock(math.ceil(job.eta_sec)) .. " left")
  end
  if job.stages > 1 then
    table.insert(notes, ("stage %d of %d"):format(job.stage_index + 1, job.stages))
  end
  if job.total_steps > 0 then
    table.insert(notes, ("step %d of %d"):format(job.current_step, job.total_steps))
  end
  local columns = math.min(BAR, math.floor((width - NUMBER) / 3))
  local text, done = bar.draw(job.percent / 100, columns)
  return {
    { (" "):rep(NUMBER) },
    { text:sub(1, done), "LofiBarDone" },
    { text:sub(done + 1), "LofiBarRest" },
    { " " .. vim.trim(rows.fit(table.concat(notes, ", "), width - NUMBER - columns - 2)) },
  }
end

---@param text string
---@param width integer
---@param group string
---@return lofi.ui.Row[]
local function sentence(text, width, group)
  return vim.tbl_map(function(line)
    return { { " " .. line, group } }
  end, message.wrap(text, width - 2))
end

--- The lines, and which job each is about.
---@param model lofi.queue.Model
---@param problem string? why the daemon cannot be asked
---@param width integer columns
---@return lofi.ui.Row[] rows
---@return table<integer, lofi.JobView> jobs by row, from 1
function M.draw(model, problem, width)
  local out, jobs = {}, {} ---@type lofi.ui.Row[], table<integer, lofi.JobView>
  if problem then
    return sentence(problem, width, "LofiError"), jobs
  elseif not model.asked then
    return { { { " asking the daemon", "LofiMuted" } } }, jobs
  end
  local current = model.current
  if current then
    out = { job_row(current, width), bar_row(current, model, width) }
    jobs[1], jobs[2] = current, current
  end
  for _, job in ipairs(model.pending) do
    table.insert(out, job_row(job, width))
    jobs[#out] = job
  end
  if #out == 0 then
    local text = "Nothing is being made and nothing waits. :LofiGenerate {prompt} makes a track."
    return sentence(text, width, "LofiMuted"), jobs
  end
  return out, jobs
end

return M
