--- A small window with lines to read; `q` or <Esc> closes it.
local M = {}

---@param name string what the buffer is called: lofi://name
---@param lines string[]
function M.open(name, lines)
  local buffer = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].bufhidden = "wipe"
  vim.bo[buffer].modifiable = false
  vim.bo[buffer].filetype = "lofi"
  local width = 20
  for _, line in ipairs(lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line))
  end
  local place = require("lofi.ui.frame").centre({ title = "lofi " .. name, width = width, height = #lines })
  place.style = "minimal"
  local window = vim.api.nvim_open_win(buffer, true, place)
  for _, key in ipairs({ "q", "<Esc>" }) do
    vim.keymap.set("n", key, function()
      pcall(vim.api.nvim_win_close, window, true)
    end, { buffer = buffer, nowait = true })
  end
end

return M
