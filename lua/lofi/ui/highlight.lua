--- The plugin's highlight groups, each a link that a colour scheme or the user may replace.
local M = {}

--- Group → the standard group that it looks like until somebody says otherwise.
---@type table<string, string>
M.LINKS = {
  LofiTitle = "Title",
  LofiPlaying = "String",
  LofiPaused = "Comment",
  LofiGenerating = "Special",
  LofiError = "DiagnosticError",
  LofiWarn = "DiagnosticWarn",
  LofiOk = "DiagnosticOk",
  LofiFavorite = "Constant",
  LofiLatent = "Type",
  LofiBackend = "Identifier",
  LofiTime = "Number",
  LofiAge = "Comment",
  LofiMuted = "Comment",
  LofiKey = "Special",
  LofiLabel = "Label",
  LofiBarDone = "Function",
  LofiBarRest = "NonText",
  LofiRadio = "Special",
  -- the waveform, from dark (most of the sound below 200 Hz) to bright
  LofiWave1 = "Identifier",
  LofiWave2 = "Function",
  LofiWave3 = "String",
  LofiWave4 = "Type",
  LofiWave5 = "Constant",
  LofiWave6 = "Special",
}

--- How many groups colour the waveform.
M.WAVES = 6

local defined = false

--- Define the groups; again and again costs nothing. `default` leaves what the user or the scheme set alone, and
--- links follow a scheme that is changed later.
function M.define()
  if defined then
    return
  end
  defined = true
  for group, target in pairs(M.LINKS) do
    vim.api.nvim_set_hl(0, group, { link = target, default = true })
  end
  vim.api.nvim_create_autocmd("ColorScheme", { -- :highlight clear takes the links along
    group = vim.api.nvim_create_augroup("lofi.highlight", { clear = true }),
    callback = function()
      defined = false
      M.define()
    end,
  })
end

return M
