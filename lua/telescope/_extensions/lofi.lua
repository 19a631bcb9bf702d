--- `:Telescope lofi` and `:Telescope lofi presets`, with what is known of a track or a preset beside the list.
local pick = require("lofi.pick")
local sources = require("lofi.pick.sources")

---@param source lofi.pick.Source
---@param items table[]
---@return table
local function finder(source, items)
  local line = pick.formatter(source, items)
  return require("telescope.finders").new_table({
    results = items,
    entry_maker = function(item)
      local shown = line(item) -- its title is cut; the whole of it is searched
      return { value = item, display = shown, ordinal = ("%s %s"):format(shown, item.prompt) }
    end,
  })
end

---@param source lofi.pick.Source
---@param opts table
---@param items table[]
local function open(source, opts, items)
  local actions, state = require("telescope.actions"), require("telescope.actions.state")
  local parts = {
    prompt_title = source.prompt,
    finder = finder(source, items),
    sorter = require("telescope.config").values.generic_sorter(opts),
    previewer = require("telescope.previewers").new_buffer_previewer({
      define_preview = function(self, entry)
        vim.api.nvim_buf_set_lines(self.state.bufnr, 0, -1, false, source.details(entry.value))
      end,
    }),
    attach_mappings = function(buffer)
      actions.select_default:replace(function()
        local entry = state.get_selected_entry()
        actions.close(buffer)
        return entry and source.choose(entry.value)
      end)
      return true
    end,
  }
  require("telescope.pickers").new(opts, parts):find()
end

---@param source lofi.pick.Source
---@return fun(opts?: table) opens it; `opts.query`: words that tracks must have
local function picker(source)
  return function(opts)
    opts = opts or {}
    local function show(items)
      open(source, opts, items)
    end
    source.fetch(opts.query or "", pick.or_say(source, opts.query, show))
  end
end

local tracks = picker(sources.tracks)
local exports = { lofi = tracks, tracks = tracks, presets = picker(sources.presets) }
return require("telescope").register_extension({ exports = exports })
