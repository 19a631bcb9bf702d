--- Stands in for nvim-notify: a record replaces the one before only while that is open, and inherits what is not given.
local draw = require("fakes").draw

local M = setmetatable({}, {
  __call = function(self, ...)
    return self.notify(...)
  end,
})

local known = {}

function M.notify(text, level, opts)
  opts = opts or {}
  local before, entry
  if opts.replace then
    before = known[type(opts.replace) == "table" and opts.replace.id or opts.replace]
    assert(before and not before.closed, "No matching notification found to replace")
    entry = before.entry
    opts = vim.tbl_extend("keep", opts, before.opts)
  end
  local record = { entry = entry or #known + 1, opts = opts }
  table.insert(known, record)
  draw(record.entry, opts.title, text, {
    level = level,
    over = opts.timeout ~= false,
    stays = opts.timeout == false,
  })
  return { id = #known }
end

--- As if the user had closed it.
function M.close_last()
  known[#known].closed = true
  known[#known].opts.on_close(0)
end

return M
