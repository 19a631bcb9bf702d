--- The plugin's highlight groups, each a link that a colour scheme or the user may replace. They can be read in the
--- schemes that come with Neovim, dark and light, so some links are not the obvious ones: where a scheme has no
--- DiagnosticOk or DiagnosticWarn, the built-in ones are too pale for a light background.
local M = {}

--- Group → the standard group that it looks like until somebody says otherwise.
---@type table<string, string>
M.LINKS = {
  LofiTitle = "Title",
  LofiPlaying = "String",
  LofiPaused = "Comment",
  LofiGenerating = "Special",
  LofiError = "DiagnosticError",
  LofiWarn = "WarningMsg",
  LofiOk = "Added",
  LofiFavorite = "Removed",
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
  -- the waveform, from dark (most of the sound below 200 Hz) to bright; blue to red in the default scheme
  LofiWave1 = "Identifier",
  LofiWave2 = "Special",
  LofiWave3 = "Added",
  LofiWave4 = "WarningMsg",
  LofiWave5 = "Removed",
}

--- How many groups colour the waveform.
M.WAVES = 5

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
