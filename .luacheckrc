std = "luajit"
cache = false
max_line_length = 120
read_globals = { "vim" }
globals = { "vim.g", "vim.b", "vim.bo", "vim.wo", "vim.o", "vim.fn", "vim.ui", "vim.notify" }
files["lua/lofi/meta"] = { max_line_length = false } -- made from the schemas
files["tests/e2e/fakes"] = { ignore = { "122" } } -- plugins that replace what they find in vim
