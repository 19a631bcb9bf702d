--- The window of what can make music: the backends, the weights of their models, and keys to fetch both.
local downloads = require("lofi.downloads")
local frame = require("lofi.ui.frame")
local lines = require("lofi.backends.lines")
local live = require("lofi.ui.live")
local rows = require("lofi.ui.rows")
local state = require("lofi.state")
local surface = require("lofi.ui.surface")
local words = require("lofi.command.words")

local M = {}

local COLUMNS = 84

---@class lofi.backends.View: lofi.backends.Model
---@field surface lofi.ui.Surface
---@field rows lofi.ui.Rows
---@field live lofi.ui.Live
---@field height integer
---@field items table<integer, lofi.backends.Item> by row, from 1

local view ---@type lofi.backends.View? while the window is open

local function draw()
  local this = view
  if not this or not this.surface:is_open() then
    return
  end
  local drawn, items = lines.draw(this, this.live.problem, frame.width(COLUMNS))
  this.items = items
  if this.height ~= #drawn then -- before the lines: they would scroll in a window too small for them
    this.height = #drawn
    this.surface:place()
  end
  this.rows:show(this.surface, drawn)
end

--- Ask what is there, and what of it is in memory.
local function ask()
  local this = view
  if not this then
    return
  end
  this.live:ask("get_backends", function(result)
    this.told = result
    state.update(function(now)
      now.backends, now.default_backend = result.backends, result.default_backend
    end)
  end)
  require("lofi").status(this.live:answered(function(status)
    this.loaded = status.engine and status.engine.loaded or {}
  end))
end

--- A key that acts on the line of the cursor.
---@param act fun(backend: lofi.Backend, weights: lofi.Weights?)
---@return fun()
local function on_item(act)
  return function()
    local item = view and view.items[view.surface:row() + 1]
    if item then
      act(item.backend, item.weights)
    else
      words.say("put the cursor on a backend or a model.")
    end
  end
end

local function download(backend, weights)
  weights = weights or downloads.weights(backend)
  if not weights then
    words.say(("%s needs no weights."):format(backend.name))
  elseif weights.status == "ready" then
    words.say(("%s is here already."):format(lines.name_of(backend, weights)))
  else
    downloads.agree(backend, weights, function()
      require("lofi").download(backend.type, weights.model)
    end)
  end
end

local function cancel(backend)
  require("lofi").cancel_download(
    backend.type,
    words.or_complain(function(result)
      if not result.cancelled then
        words.say(("nothing of %s is being downloaded."):format(backend.name))
      end
    end)
  )
end

local function install(backend)
  if not backend.extra then
    words.say(("%s needs nothing that is not installed."):format(backend.name))
  elseif backend.packages then
    words.say(("what %s needs is installed; :LofiInstall upgrade takes newer packages."):format(backend.name))
  else
    require("lofi.command").run("install " .. backend.extra)
  end
end

local function unload(backend)
  require("lofi").request(
    "unload_backend",
    { backend = backend.type },
    words.or_complain(function(result)
      local gone = vim.list_contains(result.unloaded, backend.type)
      words.say(
        gone and ("%s has left memory."):format(backend.name)
          or ("nothing of %s was in memory."):format(backend.name)
      )
      ask()
    end)
  )
end

local function toggle_details(backend, weights)
  if view and weights then
    local name = lines.name_of(backend, weights)
    view.open[name] = not view.open[name]
    draw()
  end
end

local function yank(backend, weights)
  weights = weights or downloads.weights(backend)
  if weights and weights.path then
    vim.fn.setreg(vim.v.register, weights.path)
    words.say("yanked " .. vim.fn.fnamemodify(weights.path, ":~"))
  else
    words.say(("%s is not here."):format(lines.name_of(backend, weights)))
  end
end

local function open_license(backend, weights)
  weights = weights or downloads.weights(backend)
  if not weights then
    words.say(("%s has no weights, and so no licence of theirs."):format(backend.name))
    return
  end
  local _, err = vim.ui.open(weights.license_url)
  if err then
    words.say(weights.license_url)
  end
end

local function close()
  if view then
    view.surface:close()
  end
end

---@type lofi.ui.Key[]
local keys = {
  { "d", "download the model, or go on with it", on_item(download) },
  { "x", "cancel the download; what is here is kept", on_item(cancel) },
  { "I", "install the Python packages of the backend", on_item(install) },
  { "u", "unload the backend from memory", on_item(unload) },
  { "<CR>", "details of the model", on_item(toggle_details) },
  { "y", "yank the path of the weights", on_item(yank) },
  { "o", "open the licence", on_item(open_license) },
  { { "q", "<Esc>" }, "close", close },
}

local function on_close()
  local this = view
  view = nil
  if this then
    this.live:close()
  end
end

--- Open the window, or go to it.
function M.open()
  if view then
    surface.open(view.surface.opts)
    return
  end
  local this = { rows = rows.new(), height = 1, live = live.new(draw), loaded = {}, open = {}, items = {} }
  view = this --[[@as lofi.backends.View]]
  this.surface = surface.open({
    name = "backends",
    keys = keys,
    float = function()
      return frame.centre({
        title = "backends",
        footer = "d download  x cancel  g? keys",
        width = COLUMNS,
        height = this.height,
      })
    end,
    paint = function(row)
      return this.rows:paint(row)
    end,
    on_close = on_close,
  })
  for _, event in ipairs({ "backend_status", "daemon_joined" }) do
    this.live:on(event, ask)
  end
  this.live:on("download_progress")
  this.live:on(require("lofi.install").CHANGED, function(run)
    if run.state == "done" then
      this.told = run.what ~= "uninstall" and this.told or nil
      ask()
    end
  end)
  draw()
  ask()
end

return M
