--- Stands in for lualine's base class: what a component inherits and what is done with what it answers.
local M = {}
M.__index = M

function M:extend()
  local class = setmetatable({ super = self }, self)
  class.__index = class
  return class
end

function M:__call(options)
  local new = setmetatable({}, self)
  new:init(options)
  return new
end

function M:init(options)
  self.options = options
  self.click = options.on_click -- registered here, so that init() of a component has to set it before
end

--- The text, and the colour as a function is asked for it: after the text.
function M:draw()
  local text = self:update_status()
  local color = self.options.color
  if type(color) == "function" then
    color = color({ section = "x" })
  end
  return { text = text, color = color }
end

return M
