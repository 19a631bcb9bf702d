--- :LofiBackends: the window, and its downloads without it.
local downloads = require("lofi.downloads")
local state = require("lofi.state")
local words = require("lofi.command.words")

local say = words.say

---@param name string
---@param model? string
local function download(name, model)
  require("lofi").backends(words.or_complain(function(result)
    local backend = downloads.backend(result.backends, name)
    local weights = backend and downloads.weights(backend, model)
    local function go_on()
      require("lofi").download(
        name,
        model,
        words.or_complain(function(done)
          if done.already_installed then
            say(("%s %s is here already."):format(name, done.model))
          end
        end)
      )
    end
    if backend and weights then
      downloads.agree(backend, weights, go_on)
    else
      go_on() -- the daemon says what is wrong with it, and what there is
    end
  end))
end

---@param name string
local function cancel(name)
  require("lofi").cancel_download(
    name,
    words.or_complain(function(result)
      if not result.cancelled then
        say(("nothing of %s is being downloaded."):format(name))
      end
    end)
  )
end

---@param args string
local function run(args)
  local given = vim.split(args, "%s+", { trimempty = true })
  if #given == 0 then
    require("lofi.backends").open()
  elseif given[1] == "download" and (#given == 2 or #given == 3) then
    download(given[2], given[3])
  elseif given[1] == "cancel" and #given == 2 then
    cancel(given[2])
  else
    say(":LofiBackends takes nothing, download {backend} [{model}], or cancel {backend}.", words.ERROR)
  end
end

---@param before string
---@return string[]
local function complete(before)
  local given, lead = before:match("^(.-)(%S*)$")
  local done = vim.split(given, "%s+", { trimempty = true })
  if #done == 0 then
    return words.starting_with(lead, { "cancel", "download" })
  end
  local names = {}
  for _, backend in ipairs(state.current.backends or {}) do
    local has_weights = #(backend.weights or {}) > 0
    if #done == 1 and has_weights then
      table.insert(names, backend.type)
    elseif #done == 2 and done[1] == "download" and backend.type == done[2] then
      vim.list_extend(
        names,
        vim.tbl_map(function(weights)
          return weights.model
        end, backend.weights)
      )
    end
  end
  return words.starting_with(lead, names)
end

---@type table<string, lofi.Subcommand>
return { backends = { run = run, complete = complete } }
