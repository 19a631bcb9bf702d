--- The queue: what is being made, what waits, and keys to put it into another order.
local frame = require("lofi.ui.frame")
local live = require("lofi.ui.live")
local lines = require("lofi.queue.lines")
local message = require("lofi.message")
local rows = require("lofi.ui.rows")
local surface = require("lofi.ui.surface")
local time = require("lofi.time")
local words = require("lofi.command.words")

local M = {}

local COLUMNS = 74

---@class lofi.queue.View: lofi.queue.Model
---@field surface lofi.ui.Surface
---@field rows lofi.ui.Rows
---@field jobs table<integer, lofi.JobView> by row, from 1
---@field height integer
---@field live lofi.ui.Live

local view ---@type lofi.queue.View? while the window is open

---@return lofi.JobView?
local function under_cursor()
  return view and view.jobs[view.surface:row() + 1]
end

--- The row of a job, from 0.
---@param this lofi.queue.View
---@param id string
---@return integer?
local function row_of(this, id)
  for row = 1, #this.rows.texts do
    if this.jobs[row] and this.jobs[row].job_id == id then
      return row - 1
    end
  end
end

local function draw()
  local this = view
  if not this or not this.surface:is_open() then
    return
  end
  local job = under_cursor()
  local drawn, jobs = lines.draw(this, this.live.problem, frame.width(COLUMNS))
  this.jobs = jobs
  if this.height ~= #drawn then
    this.height = #drawn
    this.surface:place()
  end
  this.rows:show(this.surface, drawn)
  local now = under_cursor()
  local row = job and (not now or now.job_id ~= job.job_id) and row_of(this, job.job_id)
  if row then -- the cursor stays with its job
    this.rows:keep_in_view(this.surface, row)
  end
end

--- Take in a queue_status. No bar goes backwards.
---@param result lofi.Queue
local function keep(result)
  local this = view
  if not this then
    return
  end
  local before, now = this.current, result.current
  if before and now and before.job_id == now.job_id then
    now.percent = math.max(before.percent, now.percent)
  end
  this.current, this.pending, this.asked = result.current, result.pending, true
end

local function ask()
  if view then
    view.live:ask("queue_status", keep)
  end
end

local function on_progress(params)
  local current = view and view.current
  if current and current.job_id == params.job_id then
    current.percent = math.max(current.percent, params.percent or 0)
    current.eta_sec = params.eta_sec
    current.current_step, current.total_steps = params.current_step or 0, params.total_steps or 0
    current.stage_index, current.stages = params.stage_index or 0, params.stages or 1
  else
    ask()
  end
end

--- Events after which the line may be another one.
local ASK_AFTER = {
  "queue_changed",
  "generation_started",
  "generation_complete",
  "generation_error",
  "generation_cancelled",
}

local function forget()
  if view then
    view.current, view.pending, view.cancelling = nil, {}, {}
  end
end

local function cancel()
  local job, this = under_cursor(), view
  if not job or not this then
    return
  end
  if job.position == 0 then
    this.cancelling[job.job_id] = true
    this.live:draw_soon()
  end
  require("lofi").request(
    "cancel",
    { job_id = job.job_id },
    this.live:answered(function(result)
      if not result.cancelled then
        this.cancelling[job.job_id] = nil
        words.say("it is finished; its track is just being kept.")
      end
    end)
  )
end

---@param step 1|-1
---@return fun()
local function move(step)
  return function()
    local job, this = under_cursor(), view
    if not job or not this then
      return
    elseif job.position == 0 then
      words.say("it runs already; only those that wait can be moved.")
      return
    end
    local from = job.position
    local to = math.max(1, math.min(#this.pending, from + step * vim.v.count1))
    if to == from then
      return
    end
    table.insert(this.pending, to, table.remove(this.pending, from)) -- at once, so that a second step counts from there
    for i, one in ipairs(this.pending) do
      one.position = i
    end
    draw()
    local take = this.live:answered(keep)
    require("lofi").request("queue_move", { job_id = job.job_id, position = to }, function(err, result)
      take(err, result)
      if err then
        ask() -- for how it stands in truth
      end
    end)
  end
end

local function clear()
  local count = view and #view.pending or 0
  if count == 0 then
    words.say("nothing waits.")
    return
  end
  local yes = count == 1 and "Cancel the one that waits" or ("Cancel the %d that wait"):format(count)
  words.confirm("Empty the queue?", yes, "Keep them", function()
    require("lofi").request("queue_clear")
  end)
end

local function details()
  local job = under_cursor()
  if not job then
    return
  end
  local shown = message.wrap(job.prompt, math.min(60, vim.o.columns - 6))
  table.insert(shown, "")
  for _, line in ipairs({
    { "Length", time.clock(job.duration_sec) },
    { "Backend", job.backend },
    { "Priority", job.priority },
    { "Asked for", lines.origin(job.job_id) },
    { "Track", job.track_id },
    { "Job", job.job_id },
  }) do
    table.insert(shown, ("%-10s %s"):format(line[1], line[2]))
  end
  require("lofi.view").open("job", shown)
end

---@type lofi.ui.Key[]
local keys = {
  { { "x", "dd" }, "cancel", cancel },
  { { "K", "<" }, "earlier", move(-1) },
  { { "J", ">" }, "later", move(1) },
  { { "i", "<CR>" }, "details", details },
  { "C", "cancel all that wait", clear },
  {
    { "q", "<Esc>" },
    "close",
    function()
      view.surface:close()
    end,
  },
}

local function on_close()
  local this = view
  view = nil
  if this then
    this.live:close()
  end
end

--- The row under the player window, if that is open.
---@return integer?
local function below_player()
  local player = surface.get("player")
  local window = player and player:window()
  if window and vim.api.nvim_win_get_tabpage(window) == vim.api.nvim_get_current_tabpage() then
    return vim.api.nvim_win_get_position(window)[1] + vim.api.nvim_win_get_height(window) + 2
  end
end

local function show()
  local this = {
    rows = rows.new(),
    jobs = {},
    pending = {},
    cancelling = {},
    height = 1,
    asked = false,
    live = live.new(draw),
  } ---@type lofi.queue.View
  view = this
  this.surface = surface.open({
    name = "queue",
    keys = keys,
    float = function()
      return frame.corner({
        title = "lofi queue",
        footer = "g? keys",
        width = COLUMNS,
        height = this.height,
        below = below_player(),
      })
    end,
    paint = function(row)
      return this.rows:paint(row)
    end,
    on_close = on_close,
  })
  for _, event in ipairs(ASK_AFTER) do
    this.live:on(event, ask)
  end
  this.live:on("generation_progress", on_progress)
  this.live:on("daemon_exited", forget)
  draw()
  ask()
end

--- Open the window, or go to it.
function M.open()
  local window = view and view.surface:window()
  if window and vim.api.nvim_win_get_tabpage(window) == vim.api.nvim_get_current_tabpage() then
    vim.api.nvim_set_current_win(window)
    return
  elseif view then
    view.surface:close()
  end
  show()
end

return M
