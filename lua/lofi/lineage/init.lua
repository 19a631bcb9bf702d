--- :LofiLineage: what a track came from and what came of it, as a tree.
local deeds = require("lofi.library.deeds")
local frame = require("lofi.ui.frame")
local live = require("lofi.ui.live")
local rows = require("lofi.ui.rows")
local surface = require("lofi.ui.surface")
local tree = require("lofi.lineage.tree")
local words = require("lofi.command.words")

local M = {}

local COLUMNS = 84

---@class lofi.lineage.View
---@field surface lofi.ui.Surface
---@field rows lofi.ui.Rows
---@field id string
---@field nodes? lofi.LineageNode[]
---@field by_row lofi.LineageNode[]
---@field height integer
---@field live lofi.ui.Live

local view ---@type lofi.lineage.View?

local function draw()
  local this = view
  if not this or not this.surface:is_open() then
    return
  end
  local problem = this.live.problem
  local drawn, nodes ---@type lofi.ui.Row[], lofi.LineageNode[]
  if problem or not this.nodes then
    drawn = { { { " " .. (problem or "Asking the daemon."), problem and "LofiError" or "LofiMuted" } } }
    nodes = {}
  else
    drawn, nodes = tree.draw(this.nodes, this.id, frame.width(COLUMNS))
  end
  this.by_row = nodes
  if this.height ~= #drawn then
    this.height = #drawn
    this.surface:place()
  end
  this.rows:show(this.surface, drawn)
end

local function ask()
  local this = view
  if not this then
    return
  end
  local id, first = this.id, this.nodes == nil
  local kind = id:find("-", 1, true) and "latent_id" or "track_id"
  require("lofi").request("lineage", { [kind] = id }, function(err, result)
    if view ~= this or this.id ~= id then
      return
    end
    this.live.problem = err and err.message
    this.nodes = result and result.nodes or this.nodes
    this.id = result and result.id or id
    draw()
    for row, node in ipairs(first and this.by_row or {}) do
      if node.id == this.id then
        this.rows:keep_in_view(this.surface, row - 1)
      end
    end
  end)
end

--- What is on the cursor's line; said where that cannot be.
---@param tracks_only boolean
---@param act fun(node: lofi.LineageNode)
---@return fun()
local function with_node(tracks_only, act)
  return function()
    local node = view and view.by_row[view.surface:row() + 1]
    if not node then
      return
    elseif node.kind == "gone" then
      words.say("it was deleted.")
    elseif node.kind == "latent" and tracks_only then
      words.say("it is a latent that was not made audible.")
    else
      act(node)
    end
  end
end

---@return lofi.ui.Key[]
local function keys()
  return {
    {
      "<CR>",
      "play",
      with_node(true, function(node)
        deeds.play(node.id, node.prompt or "")
      end),
    },
    {
      "i",
      "details",
      with_node(true, function(node)
        view.surface:close() -- it would be drawn over it
        require("lofi.library.details").open(node.id)
      end),
    },
    {
      "S",
      "in the studio, to make it again and change it",
      with_node(false, function(node)
        view.surface:close()
        require("lofi.studio.send").restore(node.id)
      end),
    },
    {
      { "q", "<Esc>" },
      "close",
      function()
        view.surface:close()
      end,
    },
  }
end

local function show()
  local this = { rows = rows.new(), by_row = {}, height = 1, live = live.new(draw) }
  view = this --[[@as lofi.lineage.View]]
  this.surface = surface.open({
    name = "lineage",
    keys = keys(),
    float = function()
      return frame.centre({
        title = "lofi lineage",
        footer = "g? keys",
        width = COLUMNS,
        height = this.height,
      })
    end,
    paint = function(row)
      return this.rows:paint(row)
    end,
    on_close = function()
      view = nil
      this.live:close()
    end,
  })
  this.live:on("library_changed", ask)
end

--- Show the family of a track, or of a latent.
---@param id string or the beginning of a track's
function M.open(id)
  if view then
    view.surface:close()
  end
  show()
  view.id = id
  draw()
  ask()
end

return M
