--- What the window of what can make music shows: the backends, and under each the weights of its models.
local bar = require("lofi.ui.bar")
local config = require("lofi.config")
local downloads = require("lofi.downloads")
local message = require("lofi.message")
local rows = require("lofi.ui.rows")

local M = {}

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

---@class lofi.backends.Model
---@field told? { backends: lofi.Backend[], default_backend: string }
---@field loaded string[] backends that are in memory
---@field open table<string, boolean> models whose details are shown

--- What a line is called in a sentence.
---@param backend lofi.Backend
---@param weights? lofi.Weights
---@return string
function M.name_of(backend, weights)
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

---@param this lofi.backends.Model
---@param problem string?
---@param width integer
---@return lofi.ui.Row[] rows
---@return table<integer, lofi.backends.Item> items by row, from 1
function M.draw(this, problem, width)
  local drawn, items = {}, {} ---@type lofi.ui.Row[], table<integer, lofi.backends.Item>

  ---@param item lofi.backends.Item?
  ---@param row lofi.ui.Row
  local function add(item, row)
    table.insert(drawn, row)
    items[#drawn] = item
  end

  --- A sentence below a line, as wide as the window.
  ---@param item lofi.backends.Item?
  ---@param indent integer
  ---@param text string
  ---@param look string
  local function say(item, indent, text, look)
    for _, line in ipairs(message.wrap(text, width - indent - 1)) do
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
    add(item, {
      { " " },
      { rows.fit(backend.type, NAME_COLUMNS), "LofiBackend" },
      { rows.fit(status, STATUS_COLUMNS), LOOKS[backend.status] or "LofiWarn" },
      { backend.name, "LofiTitle" },
    })
    local facts = {
      ("%g to %g s"):format(backend.min_duration_sec, backend.max_duration_sec),
      ("%g kHz"):format(backend.sample_rate / 1000),
    }
    table.insert(facts, backend.device and "on " .. backend.device or nil)
    table.insert(facts, vim.list_contains(this.loaded, backend.type) and "in memory" or nil)
    table.insert(facts, backend.type == this.told.default_backend and "answers when none is named" or nil)
    say(item, 3, table.concat(facts, ", "), "LofiMuted")
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
      if this.open[M.name_of(backend, weights)] then
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
  if problem then
    say(nil, 1, problem, "LofiError")
  elseif #drawn == 0 then
    add(nil, { { " asking the daemon", "LofiMuted" } })
  end
  return drawn, items
end

return M
