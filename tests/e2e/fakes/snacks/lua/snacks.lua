--- Stands in for snacks.nvim: notifications with an id are replaced, and stay where the timeout is false.
local M = { config = { notifier = {} }, notifier = {} }

function M.setup(opts)
  M.config.notifier.enabled = opts.notifier.enabled
  _G.Snacks = M
end

function M.notifier.notify(text, level, opts)
  if M.broken then
    error("snacks is broken")
  end
  require("fakes").draw(opts.id, opts.title, text, {
    level = level,
    over = opts.timeout ~= false,
    stays = opts.timeout == false,
  })
  return opts.id
end

return M
