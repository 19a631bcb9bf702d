--- A component of lualine: `lualine_x = { "lofi" }`. A click pauses or plays, a right click opens the player.
local component = require("lualine.component"):extend()

--- State → the highlight group whose colour its text has.
local GROUPS = {
  playing = "LofiPlaying",
  paused = "LofiPaused",
  generating = "LofiGenerating",
  downloading = "LofiGenerating",
  error = "LofiError",
}

--- The foreground of a group, as lualine takes colours.
---@param group string
---@return { fg: string }?
local function foreground(group)
  require("lofi.ui.highlight").define()
  local found = vim.api.nvim_get_hl(0, { name = group, link = false })
  return found.fg and { fg = ("#%06x"):format(found.fg) }
end

--- Options beside lualine's own: `icons`, as in setup(); `colors` by state, as lualine's `color`; `colored` = true for
--- those of the highlight groups, which are made for the background of a window and not for that of every theme.
---@param options table
function component:init(options)
  local colors = options.colors or {}
  if options.color == nil and (options.colored or next(colors)) then
    options.color = function() -- asked after the text
      local group = options.colored and GROUPS[self.state]
      return colors[self.state] or group and foreground(group) or nil
    end
  end
  if options.on_click == nil then
    options.on_click = function(_, button)
      local lofi = require("lofi")
      if button == "r" then
        lofi.player()
      else
        lofi.toggle()
      end
    end
  end
  component.super.init(self, options)
end

---@return string
function component:update_status()
  local info = require("lofi").info({ icons = self.options.icons })
  self.state = info.state
  return (info.text:gsub("%%", "%%%%"))
end

return component
