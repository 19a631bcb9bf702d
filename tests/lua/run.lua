-- Runs a file of tests: `nvim --clean -l tests/lua/run.lua tests/lua/NAME.lua`. It returns functions by the behaviour
-- that they pin; one that raises an error has failed.
local root = vim.fn.fnamemodify(arg[0], ":p:h:h:h")
vim.opt.runtimepath:prepend(root)

local failed = false
for behaviour, test in vim.spairs(dofile(arg[1])) do
  require("lofi.config").set({})
  local ok, err = xpcall(test, debug.traceback)
  if not ok then
    failed = true
    io.write(("%s: %s\n"):format(behaviour, err))
  end
end
os.exit(failed and 1 or 0)
