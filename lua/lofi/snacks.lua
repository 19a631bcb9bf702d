--- Sources for snacks.picker: `lofi_tracks` and `lofi_presets`, with what is known of the item in the preview.
--- Requiring this registers them: `Snacks.picker.lofi_tracks()`.
local pick = require("lofi.pick")
local sources = require("lofi.pick.sources")

---@param source lofi.pick.Source
---@param query string
---@param done fun(items: table[]) snacks.picker.finder.Item[]; called on the main loop
local function fetch(source, query, done)
  source.fetch(query, function(err, found)
    if err then
      require("lofi.command.words").complain(err)
    end
    local line = pick.formatter(source, found or {})
    done(vim.tbl_map(function(item)
      local preview = { text = table.concat(source.details(item), "\n"), loc = false }
      local shown = line(item) -- its title is cut; the whole of it is searched
      return { text = ("%s %s"):format(shown, item.prompt), line = shown, lofi = item, preview = preview }
    end, found or {}))
  end)
end

---@param source lofi.pick.Source
---@return table snacks.picker.Config
local function config(source)
  return {
    title = source.prompt,
    -- live: the words go to the library; else what was fetched is filtered
    supports_live = source == sources.tracks,
    format = function(item)
      return { { item.line } }
    end,
    preview = "preview",
    finder = function(_, ctx)
      return function(found)
        local items ---@type table[]?
        vim.schedule(function() -- finders run where next to nothing of the editor may be touched
          fetch(source, ctx.filter.search, function(all)
            items = all
            ctx.async:resume()
          end)
        end)
        while not items do
          ctx.async:suspend()
        end
        vim.iter(items):each(found)
      end
    end,
    confirm = function(picker, item)
      picker:close()
      return item and source.choose(item.lofi)
    end,
  }
end

local known = require("snacks").picker.sources
known.lofi_tracks, known.lofi_presets = config(sources.tracks), config(sources.presets)
