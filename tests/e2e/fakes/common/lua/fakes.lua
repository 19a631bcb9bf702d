--- What the stand-ins for other plugins have in common: a record of all that was ever drawn, in order.
local M = {}

_G.drawn = {} --- { entry, title, text, percent?, over, stays }

--- `entry` shows this now. `over`: it has ended; `stays`: nothing takes it away.
function M.draw(entry, title, text, opts)
  assert(not vim.in_fast_event())
  assert(type(title) == "string" and type(text) == "string")
  local percent = opts.percent or tonumber(text:match("(%d+)%%"))
  table.insert(_G.drawn, {
    entry = entry,
    title = title,
    text = text,
    percent = percent,
    over = opts.over or false,
    stays = opts.stays or false,
    level = opts.level or vim.log.levels.INFO,
  })
end

return M
