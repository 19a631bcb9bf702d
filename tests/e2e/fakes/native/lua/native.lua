--- Stands in for Neovim 0.12: nvim_echo() with kind = "progress", as its api.txt describes it.
local M = {}

local NAMES = { "id", "kind", "percent", "source", "status", "title" }

function M.setup()
  local has, echo, count = vim.fn.has, vim.api.nvim_echo, 0
  vim.fn.has = function(what)
    return what == "nvim-0.12" and 1 or has(what)
  end
  vim.api.nvim_echo = function(chunks, history, opts)
    if not opts.kind then
      return echo(chunks, history, opts)
    end
    for name in pairs(opts) do
      assert(vim.tbl_contains(NAMES, name), name)
    end
    assert(opts.kind == "progress" and history)
    assert(vim.tbl_contains({ "running", "success", "failed", "cancel" }, opts.status), opts.status)
    local id = opts.id
    if not id then
      count = count + 1
      id = count
    end
    local text = chunks[1][1]
    local over = opts.status ~= "running"
    require("fakes").draw(id, opts.title, text, { percent = opts.percent, over = over, stays = not over })
    local percent = opts.percent and ("%d%% "):format(opts.percent) or ""
    echo({ { ("%s: %s%s"):format(opts.title, percent, text) } }, true, {})
    return id
  end
end

return M
