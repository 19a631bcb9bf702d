--- Downloads of weights that this editor asked for, from the question to their end, and how far they are.
local client = require("lofi.client")
local events = require("lofi.events")
local rpc = require("lofi.rpc")
local state = require("lofi.state")
local time = require("lofi.time")

local M = {}

---@class lofi.Downloaded
---@field backend string
---@field model string
---@field already_installed boolean nothing was fetched

---@alias lofi.DownloadCallback fun(err: lofi.Error?, result: lofi.Downloaded?)

---@class lofi.downloads.Own
---@field backend string
---@field model string
---@field task lofi.progress.Task
---@field callbacks lofi.DownloadCallback[]

local own = {} ---@type table<string, lofi.downloads.Own> by "backend model"
local attached = false

--- "2.4 GB", "12 MB".
---@param bytes number
---@return string
function M.size(bytes)
  if bytes >= 1e9 then
    return ("%.1f GB"):format(bytes / 1e9)
  end
  return ("%d MB"):format(math.floor(bytes / 1e6 + 0.5))
end

--- Speed and remaining time, as far as they are known.
---@param download lofi.Download
---@return string "12.3 MB/s, 1:02 left"
function M.pace(download)
  local parts = {}
  if download.bytes_per_sec then
    table.insert(parts, ("%.1f MB/s"):format(download.bytes_per_sec / 1e6))
  end
  if download.eta_sec then
    table.insert(parts, time.clock(math.ceil(download.eta_sec)) .. " left")
  end
  return table.concat(parts, ", ")
end

---@param params table
---@return string
local function key(params)
  return params.backend .. " " .. params.model
end

---@param download lofi.downloads.Own
---@param err lofi.Error?
local function answer(download, err)
  local result = not err and { backend = download.backend, model = download.model, already_installed = false }
    or nil
  for _, callback in ipairs(download.callbacks) do
    callback(err, result)
  end
end

---@param params lofi.Download
local function on_progress(params)
  local download = own[key(params)]
  if download then
    download.task:report({ percent = params.overall_percent, message = M.pace(params) })
  end
end

---@param params table
local function on_status(params)
  local download = params.model and own[key(params)]
  if not download or params.weights == "downloading" then
    return
  end
  own[key(params)] = nil
  local said = params.message or ("%s %s: %s"):format(params.backend, params.model, params.weights)
  if params.weights == "ready" then
    download.task:finish(said, "success")
    answer(download)
  elseif params.weights == "error" then
    download.task:finish(said, "failed")
    answer(download, rpc.error("MODEL_DOWNLOAD_FAILED", said))
  else
    download.task:finish(said, "cancelled")
    answer(download, rpc.error("DOWNLOAD_CANCELLED", said))
  end
end

local function on_exit()
  local ended = own
  own = {}
  for _, download in pairs(ended) do
    local said = "lofi-daemon stopped; what was fetched is kept, the next download goes on from there."
    download.task:finish(said, "failed", { told = true })
    answer(download, rpc.error("DAEMON_EXITED", said))
  end
end

--- Fetch the weights of a model, or go on with it.
---@param backend string
---@param model string? nil = the backend's first
---@param refused fun(err: lofi.Error) it did not begin
---@param callback? lofi.DownloadCallback called at its end, or where there is nothing to fetch
function M.start(backend, model, refused, callback)
  if not attached then
    attached = true
    events.on("download_progress", on_progress)
    events.on("backend_status", on_status)
    events.on("daemon_exited", on_exit)
  end
  client.request("download_backend", { backend = backend, model = model }, function(err, result)
    if err then
      refused(err)
    elseif result.already_installed then
      if callback then
        callback(nil, { backend = backend, model = result.model, already_installed = true })
      end
    else
      local id = key(result)
      own[id] = own[id]
        or {
          backend = backend,
          model = result.model,
          task = require("lofi.progress").task({ title = backend .. " " .. result.model }),
          callbacks = {},
        }
      table.insert(own[id].callbacks, callback)
    end
  end)
end

--- The backend of that name among those that the daemon told of.
---@param backends lofi.Backend[]
---@param name string
---@return lofi.Backend?
function M.backend(backends, name)
  return vim.iter(backends):find(function(backend)
    return backend.type == name
  end)
end

--- A model's weights, or those of the backend's first.
---@param backend lofi.Backend
---@param model? string
---@return lofi.Weights?
function M.weights(backend, model)
  return vim.iter(backend.weights or {}):find(function(weights)
    return model == nil and weights.default or weights.model == model
  end)
end

---@param license string
---@return boolean
local function is_non_commercial(license)
  return license:upper():find("-NC", 1, true) ~= nil
end

--- Let the user agree to a licence that forbids what others allow, then go on.
---@param backend lofi.Backend
---@param weights lofi.Weights
---@param go_on fun()
function M.agree(backend, weights, go_on)
  if not is_non_commercial(weights.license) or weights.bytes_here > 0 then
    go_on()
    return
  end
  local size = weights.bytes and M.size(weights.bytes) or "it"
  vim.ui.select({ "Download " .. size, "Not now" }, {
    prompt = ("%s %s is licensed %s: not for commercial use."):format(
      backend.name,
      weights.model,
      weights.license
    ),
    kind = "lofi_license",
  }, function(_, index)
    if index == 1 then
      go_on()
    end
  end)
end

--- Where a download of the backend's is, for the model's line.
---@param backend string
---@param model string
---@return lofi.Download?
function M.running(backend, model)
  local download = state.current.downloads[backend]
  return download and download.model == model and download or nil
end

return M
