--- Stands in for noice.nvim: it has taken vim.notify() over, hands on to nvim-notify and answers records of its own.
local M = {}
local records = {}

function M.notify(text, level, opts)
  assert(not vim.in_fast_event())
  opts = vim.tbl_extend("force", opts or {}, { replace = opts.replace and records[opts.replace.id] })
  table.insert(records, require("notify")(text, level, opts))
  return { id = #records }
end

function M.enable()
  vim.notify = M.notify
end

return M
