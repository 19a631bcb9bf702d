--- :LofiPick: choose a track, a preset, a backend or a device through vim.ui.select, which snacks, mini.pick,
--- telescope-ui-select and fzf-lua take over.
local message = require("lofi.message")
local sources = require("lofi.pick.sources")

local M = {}

--- What there is to pick from, in the order in which it is offered.
M.NAMES = { "tracks", "presets", "playlist", "backends", "devices" }

local GAP = "  "

--- How each of `items` looks in one line, the columns under each other.
---@param source lofi.pick.Source
---@param items table[]
---@return fun(item: table): string
function M.formatter(source, items)
  local widths = {} ---@type integer[]
  for _, item in ipairs(items) do
    for column, cell in ipairs(source.cells(item)) do
      widths[column] = math.max(widths[column] or 0, vim.fn.strdisplaywidth(cell))
    end
  end
  return function(item)
    local cells = {}
    for column, cell in ipairs(source.cells(item)) do
      if (widths[column] or 0) > 0 then
        table.insert(cells, cell .. (" "):rep(widths[column] - vim.fn.strdisplaywidth(cell)))
      end
    end
    return (table.concat(cells, GAP):gsub("%s+$", ""))
  end
end

--- Neovim's own select prints the whole list, numbered: what does not fit the screen would stop at "-- More --".
---@return integer lines, integer columns
local function room()
  if debug.getinfo(vim.ui.select, "S").source:find("vim/ui%.lua$") then
    local columns = vim.o.columns
    local asks = 2 * math.floor(72 / columns) -- the lines that its question has more than one
    return math.max(vim.o.lines - 4 - asks, 1), columns - #"1000: " - 1
  end
  return math.huge, math.huge
end

--- What `fetch` calls when it is done: `show` where there is something to choose from, else a sentence.
---@param source lofi.pick.Source
---@param query? string
---@param show fun(items: table[], total: integer)
---@return lofi.pick.Done
function M.or_say(source, query, show)
  return function(err, items, total)
    if err then
      require("lofi.command.words").complain(err)
    elseif #items > 0 then
      show(items, math.max(total or 0, #items))
    else
      message.say(query and query ~= "" and ("no track has “%s” in it."):format(query) or source.none)
    end
  end
end

---@param source lofi.pick.Source
---@param items table[]
---@param total integer
local function select(source, items, total)
  local lines, columns = room()
  local shown = vim.list_slice(items, 1, math.min(#items, lines))
  local line = M.formatter(source, shown)
  local prompt = source.prompt
  if #shown < total then
    prompt = ("%s (the first %d of %d)"):format(prompt, #shown, total)
  end
  local opts = {
    prompt = message.cut(prompt, columns),
    kind = source.kind,
    format_item = function(item)
      return message.cut(line(item), columns)
    end,
  }
  vim.ui.select(shown, opts, function(item)
    if item then
      source.choose(item)
    end
  end)
end

--- Choose one of `what`, or first what to choose.
---@param what? "tracks"|"presets"|"playlist"|"backends"|"devices"
---@param query? string words that tracks must have
function M.open(what, query)
  if not what then
    vim.ui.select(M.NAMES, { prompt = "Pick what?", kind = "lofi" }, function(name)
      if name then
        M.open(name)
      end
    end)
    return
  end
  local source = sources[what]
  if not source then
    local text = "there is nothing to pick under “%s”. There are %s."
    message.say(text:format(tostring(what), table.concat(M.NAMES, ", ")), vim.log.levels.ERROR)
    return
  end
  source.fetch(
    query or "",
    M.or_say(source, query, function(items, total)
      select(source, items, total)
    end)
  )
end

return M
