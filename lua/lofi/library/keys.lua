--- The keys of the library.
local deeds = require("lofi.library.deeds")
local words = require("lofi.command.words")

---@param view lofi.library.View
local function sort(view)
  vim.ui.select(view.SORTS, {
    prompt = "Order",
    format_item = function(item)
      return item[2]
    end,
  }, function(choice)
    if choice then
      view:resort(choice[1])
    end
  end)
end

---@param view lofi.library.View
---@return lofi.ui.Key[]
return function(view)
  --- Calls `run` with the track of the cursor, where there is one.
  local function here(run)
    return function()
      local entry = view:selected()[1]
      if entry then
        run(entry)
      end
    end
  end
  --- Calls `run` with the tracks that the key is meant for, and their ids.
  local function all(run)
    return function()
      local entries = view:selected()
      if #entries > 0 then
        run(
          entries,
          vim.tbl_map(function(entry)
            return entry.id
          end, entries)
        )
      end
    end
  end
  --- The whole track is asked for first.
  local function again(name, room)
    return here(function(entry)
      require("lofi").request(
        "cache_get",
        { track_id = entry.id },
        words.or_complain(function(track)
          require(room or "lofi.library.again")[name](track)
        end)
      )
    end)
  end
  return {
    {
      "<CR>",
      "play",
      here(function(entry)
        deeds.play(entry.id, entry.title)
      end),
    },
    {
      "p",
      "pause, or go on",
      function()
        require("lofi").toggle()
      end,
    },
    {
      "a",
      "add to the playlist",
      all(function(_, ids)
        deeds.add(ids)
      end),
      visual = "a",
    },
    {
      "A",
      "play next",
      all(function(_, ids)
        deeds.add(ids, { next = true })
      end),
      visual = "A",
    },
    {
      "f",
      "favourite, or no longer",
      all(function(entries, ids)
        deeds.favorite(ids, not entries[1].favorite)
      end),
      visual = "f",
    },
    {
      "dd",
      "delete when this is closed, or at :w",
      all(function(entries)
        view:delete(entries)
      end),
      visual = "d",
    },
    {
      "u",
      "bring back what was deleted last",
      function()
        view:undo()
      end,
    },
    {
      "y",
      "yank the path",
      all(function(entries)
        local paths = vim.tbl_map(function(entry)
          return entry.path
        end, entries)
        deeds.yank(paths, vim.v.register)
      end),
    },
    {
      "i",
      "details",
      here(function(entry)
        require("lofi.library.details").open(entry.id)
      end),
    },
    { "r", "its parameters on the command line, to change them", again("restore") },
    { "v", "variation: the same with a new seed", again("vary") },
    { "t", "take it up again from its latent", again("resume") },
    {
      "S",
      "in the studio, as one stage",
      here(function(entry)
        require("lofi.studio.send").restore(entry.id)
      end),
    },
    {
      "gp",
      "add to the pipeline of the studio",
      here(function(entry)
        require("lofi.studio.send").add(entry.id)
      end),
    },
    { "gs", "as source of the studio's stage", again("source", "lofi.studio.send") },
    { "gr", "as reference of the studio's stage", again("reference", "lofi.studio.send") },
    {
      "x",
      "export to a file",
      here(function(entry)
        deeds.export(entry.id)
      end),
    },
    {
      "s",
      "order",
      function()
        sort(view)
      end,
    },
    {
      "R",
      "ask the daemon again",
      function()
        view:refresh()
      end,
    },
    {
      "q",
      "close",
      function()
        view.surface:close()
      end,
    },
  }
end
