--- The family of a track as lines of a tree: who has several parents stands under the first.
local config = require("lofi.config")
local facts = require("lofi.library.facts")
local rows = require("lofi.ui.rows")
local time = require("lofi.time")

local M = {}

local SHORT = 12

local LINES = { fork = "├─ ", last = "└─ ", pass = "│  ", none = "   " }
local ASCII = { fork = "|- ", last = "`- ", pass = "|  ", none = "   " }

--- The children of each node, in the daemon's order; who has several parents stands under the first, and the others are
--- told beside it.
---@param nodes lofi.LineageNode[]
---@return lofi.LineageNode[] roots
---@return table<string, lofi.LineageNode[]> children
local function family(nodes)
  local roots, children = {}, {} ---@type lofi.LineageNode[], table<string, lofi.LineageNode[]>
  for _, node in ipairs(nodes) do
    children[node.id] = {}
  end
  for _, node in ipairs(nodes) do
    table.insert(children[node.parent_ids[1] or ""] or roots, node)
  end
  return roots, children
end

---@param node lofi.LineageNode
---@return string
local function prompt_of(node)
  return (vim.trim(node.prompt or ""):gsub("[%s%c]+", " "))
end

--- What a line says of a node; the words only where they are others than its parent's.
---@param node lofi.LineageNode
---@param parent lofi.LineageNode?
---@param branch string
---@param width integer
---@return lofi.ui.Row
local function line(node, parent, branch, width)
  local row = { { " " .. branch, "LofiMuted" } } ---@type lofi.ui.Row
  if node.kind == "gone" then
    table.insert(row, { ("deleted %s"):format(node.id:sub(1, SHORT)), "LofiMuted" })
    return row
  end
  local marks = ""
  if node.kind == "latent" or node.latent_id then
    marks = config.current["icons.latent"] .. " "
  end
  local favorite = node.favorite and config.current["icons.favorite"] .. " " or ""
  local how = node.stage_type or "generate"
  local same = parent and prompt_of(parent) == prompt_of(node)
  local title = same and ("seed %s"):format(facts.text(node.seed)) or prompt_of(node)
  local others = #node.parent_ids > 1 and ("  also from %s"):format(node.parent_ids[2]:sub(1, SHORT)) or ""
  local head = (parent and how .. ": " or "") .. title
  local length = node.duration_sec and time.clock(node.duration_sec) or ""
  local tail = ("  %-12s%6s "):format(node.kind == "latent" and "latent" or node.backend or "", length)
  local wide = vim.fn.strdisplaywidth
  local room = width - wide(branch .. favorite .. marks .. others .. tail) - 1
  vim.list_extend(row, {
    { favorite, "LofiFavorite" },
    { marks, "LofiLatent" },
    { rows.fit(head, math.max(room, SHORT)) },
    { others, "LofiMuted" },
    { tail, "LofiBackend" },
  })
  return row
end

--- The lines, and the node of each.
---@param all lofi.LineageNode[] parents before children
---@param id string whose lineage it is
---@param width integer columns
---@return lofi.ui.Row[]
---@return lofi.LineageNode[]
function M.draw(all, id, width)
  local shape = config.current.ascii and ASCII or LINES
  local out, nodes = {}, {} ---@type lofi.ui.Row[], lofi.LineageNode[]
  local roots, children = family(all)
  local function add(node, parent, lead, branch, below)
    local row = line(node, parent, lead .. branch, width)
    if node.id == id then
      row[4] = row[4] and { row[4][1], "LofiPlaying" }
    end
    table.insert(out, row)
    table.insert(nodes, node)
    for i, child in ipairs(children[node.id]) do
      local is_last = i == #children[node.id]
      add(
        child,
        node,
        lead .. below,
        is_last and shape.last or shape.fork,
        is_last and shape.none or shape.pass
      )
    end
  end
  for _, root in ipairs(roots) do
    add(root, nil, "", "", "")
  end
  return out, nodes
end

return M
