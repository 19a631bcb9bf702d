--- The window of what can make music: the backends, the weights of their models, and keys to fetch both.
local bar = require("lofi.ui.bar")
local config = require("lofi.config")
local downloads = require("lofi.downloads")
local frame = require("lofi.ui.frame")
local live = require("lofi.ui.live")
local rows = require("lofi.ui.rows")
local state = require("lofi.state")
local surface = require("lofi.ui.surface")
local words = require("lofi.command.words")

local M = {}

local COLUMNS = 84
local NAME_COLUMNS = 16
local SIZE_COLUMNS = 9
local LICENSE_COLUMNS = 14
local STATUS_COLUMNS = 15
local BAR_COLUMNS = 10
local PATH_COLUMNS = 36
local NARROW = 72 -- columns below which what goes on takes the place of size and licence

---@type table<string, string>
local LOOKS =
  { ready = "LofiOk", error = "LofiError", downloading = "LofiGenerating", loading = "LofiGenerating" }

---@class lofi.backends.Item
---@field backend lofi.Backend
---@field weights? lofi.Weights of the model on that line

---@class lofi.backends.View
---@field surface lofi.ui.Surface
---@field rows lofi.ui.Rows
---@field live lofi.ui.Live
---@field height integer
---@field told? { backends: lofi.Backend[], default_backend: string }
---@field loaded string[] backends that are in memory
---@field open table<string, boolean> models whose details are shown
---@field items table<integer, lofi.backends.Item> by row, from 1

local view ---@type lofi.backends.View? while the window is open

---@param backend lofi.Backend
---@param weights? lofi.Weights
---@return string
local function name_of(backend, weights)
  return weights and backend.type .. " " .. weights.model or backend.type
end

--- The end of a path that is too long, which says more than its beginning.
---@param path string
---@param columns integer
---@return string
local function tail_of(path, columns)
  path = vim.fn.fnamemodify(path, ":~")
  local over = vim.fn.strchars(path) - columns
  local mark = config.current.ascii and "<" or "…"
  return over > 0 and mark .. vim.fn.strcharpart(path, over + 1) or path
end

--- What a model's line says of its weights, after its size and its licence.
---@param backend lofi.Backend
---@param weights lofi.Weights
---@param narrow boolean
---@return lofi.ui.Piece[]
local function progress(backend, weights, narrow)
  local download = downloads.running(backend.type, weights.model)
  if download then
    local row = {
      { ("%d %%"):format(download.overall_percent), "LofiGenerating" },
      { "  " .. downloads.pace(download), "LofiTime" },
    }
    if not narrow then
      local text, done = bar.draw(download.overall_percent / 100, BAR_COLUMNS)
      table.insert(row, 1, { text:sub(1, done), "LofiBarDone" })
      table.insert(row, 2, { text:sub(done + 1) .. " ", "LofiBarRest" })
    end
    return row
  elseif weights.status == "ready" then
    return {
      { "ready  ", "LofiOk" },
      { tail_of(weights.path or "", narrow and 12 or PATH_COLUMNS), "LofiMuted" },
    }
  elseif weights.status == "downloading" then
    return { { "begins", "LofiGenerating" } }
  elseif weights.status == "absent" then
    return {}
  end
  local share = weights.bytes and (" of %s"):format(downloads.size(weights.bytes)) or ""
  local here = weights.bytes_here > 0 and ("%s%s here"):format(downloads.size(weights.bytes_here), share)
    or ""
  if weights.status == "error" then
    return { { "failed", "LofiError" }, { here ~= "" and "  " .. here or "", "LofiMuted" } }
  end
  return { { here, "LofiWarn" } }
end

---@param this lofi.backends.View
---@param width integer
---@return lofi.ui.Row[]
local function draw_rows(this, width)
  local drawn = {} ---@type lofi.ui.Row[]
  this.items = {}

  ---@param item lofi.backends.Item?
  ---@param row lofi.ui.Row
  local function add(item, row)
    table.insert(drawn, row)
    this.items[#drawn] = item
  end

  --- A sentence below a line, as wide as the window.
  ---@param item lofi.backends.Item
  ---@param indent integer
  ---@param text string
  ---@param look string
  local function say(item, indent, text, look)
    for _, line in ipairs(rows.wrap(text, width - indent - 1)) do
      add(item, { { (" "):rep(indent) .. line, look } })
    end
  end

  ---@param item lofi.backends.Item
  local function details(item)
    local weights = assert(item.weights)
    for _, detail in ipairs({
      { "from", ("huggingface.co/%s"):format(weights.repo) },
      { "commit", weights.commit },
      { "licence", ("%s, %s"):format(weights.license, weights.license_url) },
      { "kept in", weights.path and vim.fn.fnamemodify(weights.path, ":~") },
      { "failed", weights.message },
    }) do
      if detail[2] then
        say(item, 6, ("%s: %s"):format(detail[1], detail[2]), "LofiMuted")
      end
    end
  end

  ---@param backend lofi.Backend
  local function backend_rows(backend)
    local item = { backend = backend }
    local status = backend.status:gsub("_", " ")
    local default = backend.type == this.told.default_backend and "  answers when none is named" or ""
    local memory = vim.list_contains(this.loaded, backend.type) and "  in memory" or ""
    add(item, {
      { " " },
      { rows.fit(backend.type, NAME_COLUMNS), "LofiBackend" },
      { rows.fit(status, STATUS_COLUMNS), LOOKS[backend.status] or "LofiWarn" },
      { backend.name, "LofiTitle" },
      { memory .. default, "LofiMuted" },
    })
    local facts = ("%g to %g s, %g kHz"):format(
      backend.min_duration_sec,
      backend.max_duration_sec,
      backend.sample_rate / 1000
    )
    say(item, 3, facts .. (backend.device and ", on " .. backend.device or ""), "LofiMuted")
    if backend.message then
      say(item, 3, backend.message, backend.status == "error" and "LofiError" or "LofiMuted")
    end
    if backend.extra and not backend.packages then
      local hint = ("Its Python packages are missing: I installs them (:LofiInstall %s)."):format(
        backend.extra
      )
      say(item, 3, hint, "LofiWarn")
    end
    for _, weights in ipairs(backend.weights or {}) do
      local one = { backend = backend, weights = weights }
      local size = weights.bytes and downloads.size(weights.bytes) or "?"
      local now = progress(backend, weights, width < NARROW)
      local row =
        { { "   " }, { rows.fit(weights.model, NAME_COLUMNS - 2), weights.default and "LofiLabel" or nil } }
      if #now == 0 or width >= NARROW then
        table.insert(row, { (" "):rep(SIZE_COLUMNS - 2 - #size) .. size .. "  ", "LofiTime" })
        table.insert(row, { rows.fit(weights.license, LICENSE_COLUMNS), "LofiMuted" })
      end
      add(one, vim.list_extend(row, now))
      if this.open[name_of(backend, weights)] then
        details(one)
      end
    end
  end

  for i, backend in ipairs(this.told and this.told.backends or {}) do
    if i > 1 then
      add(nil, { { "" } })
    end
    backend_rows(backend)
  end
  if this.live.problem then
    say({} --[[@as lofi.backends.Item]], 1, this.live.problem, "LofiError")
    this.items[#drawn] = nil
  elseif #drawn == 0 then
    add(nil, { { " asking the daemon", "LofiMuted" } })
  end
  return drawn
end

local function draw()
  local this = view
  if not this or not this.surface:is_open() then
    return
  end
  local drawn = draw_rows(this, frame.width(COLUMNS))
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
    words.say(("%s is here already."):format(name_of(backend, weights)))
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
    local name = name_of(backend, weights)
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
    words.say(("%s is not here."):format(name_of(backend, weights)))
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
