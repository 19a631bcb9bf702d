--- Its progress handles, as ":h fidget-api" has them: an entry is taken away after it is finished or cancelled.
local draw = require("fakes").draw

local Handle = {}
Handle.__index = Handle
local count = 0

function Handle:report(news)
  assert(not self.done, "a handle is not used after its end")
  for name, value in pairs(news) do
    assert(vim.tbl_contains({ "title", "message", "percentage" }, name), name)
    self[name] = value
  end
  self:draw()
end

function Handle:draw(over)
  self.done = over
  draw(self.id, self.title, self.message, { percent = self.percentage, over = over, stays = not over })
end

function Handle:finish()
  self.percentage = self.percentage and 100
  self:draw(true)
end

function Handle:cancel()
  self:draw(true)
end

return {
  handle = {
    create = function(message)
      assert(message.lsp_client.name == "lofi")
      count = count + 1
      local handle = setmetatable(vim.deepcopy(message), Handle)
      handle.id = count
      handle:draw()
      return handle
    end,
  },
}
