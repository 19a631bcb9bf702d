--- Stands in for mini.notify: what was added stays until it is removed, and only then can no longer be updated.
local draw = require("fakes").draw

local M = {}
local known = {}

function M.setup()
  _G.MiniNotify = M
  local defer = vim.defer_fn
  vim.defer_fn = function(run) -- nobody waits five seconds in a test
    return defer(run, 20)
  end
end

local function show(id)
  local one = known[id]
  draw(id, one.msg, one.msg, {
    level = vim.log.levels[one.level],
    over = one.level == "ERROR" or one.ts_remove ~= nil,
    stays = not one.ts_remove,
  })
end

function M.add(msg, level, group, data)
  assert(vim.log.levels[level] and vim.fn.hlexists(group) == 1 and type(data) == "table")
  table.insert(known, { msg = msg, level = level, hl_group = group, data = data })
  show(#known)
  return #known
end

function M.update(id, new)
  assert(known[id] and not known[id].ts_remove, "not the id of an active notification")
  known[id] = vim.tbl_extend("force", known[id], new)
  show(id)
end

function M.remove(id)
  if known[id] and not known[id].ts_remove then
    known[id].ts_remove = vim.uv.hrtime()
    show(id)
  end
end

function M.get(id)
  return vim.deepcopy(known[id])
end

return M
