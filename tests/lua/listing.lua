-- The library's listing in the editor, against a daemon that is a function.
local store = require("lofi.library.store")

---@param id string
---@param more? table
---@return lofi.Track
local function track(id, more)
  local made = ("2026-01-01T00:00:%02dZ"):format(tonumber(id, 36) % 60)
  return vim.tbl_extend("force", {
    id = id,
    prompt = id,
    path = id,
    backend = "synth",
    duration_sec = 60,
    created_at = made,
    favorite = false,
  }, more or {})
end

---@param sort string
---@return lofi.library.Store
local function new(sort)
  local nothing = function() end
  local listing = store.new({ appended = nothing, replaced = nothing, state = nothing })
  listing.sort = sort
  return listing
end

---@param listing lofi.library.Store
---@return string
local function ids(listing)
  return vim
    .iter(listing.listing.list)
    :map(function(entry)
      return entry.id
    end)
    :join(" ")
end

return {
  what_comes_stands_where_the_order_has_it = function()
    for sort, order in pairs({
      newest = "d c b a",
      oldest = "a b c d",
      title = "a b c d",
      duration = "d c b a",
      favorites = "b d c a",
    }) do
      local listing = new(sort)
      for i, id in ipairs({ "c", "a", "d", "b" }) do
        listing:put(track(id, { favorite = id == "b", duration_sec = 100 - id:byte() + i / 100 }))
      end
      assert(ids(listing) == order, ("%s: %s"):format(sort, ids(listing)))
      assert(listing.total == 4)
    end
  end,

  what_is_there_keeps_its_place_when_it_changes = function()
    local listing = new("favorites")
    for _, id in ipairs({ "a", "b", "c" }) do
      listing:put(track(id))
    end
    listing:put(track("a", { favorite = true }))
    assert(ids(listing) == "c b a" and listing.listing.by_id.a.favorite)
    assert(listing.total == 3)
  end,

  what_is_gone_is_dropped_once = function()
    local listing = new("newest")
    listing:put(track("a"))
    listing:drop("a")
    listing:drop("a")
    assert(ids(listing) == "" and listing.total == 0)
  end,

  what_changes_between_two_pages_is_neither_lost_nor_twice_there = function()
    local lofi = require("lofi")
    local there = {}
    for i = 1, 120 do
      there[i] = track(("%03d"):format(i))
    end
    local asked = {}
    lofi.request = function(_, params, callback)
      table.insert(asked, params.offset)
      callback(nil, {
        tracks = vim.list_slice(there, params.offset + 1, params.offset + params.limit),
        total = #there,
      })
    end
    local listing = new("title")
    listing:load(false)
    local gone = table.remove(there, 10) -- the second page begins a track earlier now
    listing:drop(gone.id)
    local came = track("000")
    table.insert(there, 1, came)
    listing:put(came)
    assert(vim.wait(2000, function()
      return not listing.loading
    end))
    local expected = vim
      .iter(there)
      :map(function(one)
        return one.id
      end)
      :join(" ")
    assert(ids(listing) == expected, ids(listing))
    assert(asked[2] == 49)
  end,
}
