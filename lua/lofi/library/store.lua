--- The library's tracks as the editor knows them: fetched a page at a time, then kept up by what the daemon tells.
local M = {}

--- Tracks asked for at once. Reading a page holds the editor's loop, so that it is smaller than the wire allows.
local PAGE = 50
--- Between a page and the request for the next, so that keys go first.
local GAP_MS = 2

--- A track as a line needs it; the rest is asked for where it is shown.
---@class lofi.library.Entry
---@field id string
---@field title string the prompt, in one line
---@field path string
---@field backend string
---@field duration_sec number
---@field made number seconds since the epoch
---@field favorite boolean
---@field latent boolean

---@class lofi.library.Listing
---@field list lofi.library.Entry[] in the order of the sort
---@field by_id table<string, lofi.library.Entry>
---@field offset integer of the next page

--- What the store tells of a load. Whoever calls put() and drop() knows that the listing changed.
---@class lofi.library.Listener
---@field appended fun(entries: lofi.library.Entry[])
---@field replaced fun() `listing` is another one
---@field state fun() `total`, `loading` or `problem` changed

---@class lofi.library.Store
---@field listing lofi.library.Listing
---@field sort string
---@field total integer of the whole library, as last told
---@field loading lofi.library.Listing? being filled
---@field problem lofi.Error? why it could not be asked for
---@field private _listener lofi.library.Listener
---@field private _round integer the last load; replies to earlier ones are passed over
local Store = {}
Store.__index = Store

--- Whether a track that is there stays before one that comes, by the daemon's own orders (library/index.py). "played"
--- has none here: what is new was used last.
---@type table<string, fun(there: lofi.library.Entry, new: lofi.library.Entry): boolean>
local STAYS_BEFORE = {
  newest = function(there, new)
    return there.made > new.made
  end,
  oldest = function(there, new)
    return there.made <= new.made
  end,
  title = function(there, new)
    return vim.fn.tolower(there.title) <= vim.fn.tolower(new.title)
  end,
  duration = function(there, new)
    return there.duration_sec <= new.duration_sec
  end,
  played = function()
    return false
  end,
  favorites = function(there, new)
    if there.favorite ~= new.favorite then
      return there.favorite
    end
    return there.made > new.made
  end,
}

--- "2026-11-21T06:30:00.123Z" in seconds since the epoch; os.time() would read it as local time.
---@param iso string
---@return number
local function seconds_of(iso)
  local year, month, day, hour, minute, second = iso:match("^(%d+)-(%d+)-(%d+)T(%d+):(%d+):(%d+%.?%d*)")
  if not year then
    return 0
  end
  local y, m = tonumber(year), tonumber(month) --[[@as integer]]
  -- days since 1970 in the Gregorian calendar, counted in years that begin in March
  if m <= 2 then
    y, m = y - 1, m + 12
  end
  local days = 365 * y + math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)
  days = days + math.floor((153 * (m - 3) + 2) / 5) + tonumber(day) - 1 - 719468
  return days * 86400 + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(second)
end

---@param track lofi.Track
---@param entry? lofi.library.Entry brought up to date in place
---@return lofi.library.Entry
local function entry_of(track, entry)
  entry = entry or {}
  entry.id = track.id
  entry.title = vim.trim((track.prompt:gsub("[%s%c]+", " ")))
  entry.path = track.path
  entry.backend = track.backend
  entry.duration_sec = track.duration_sec
  entry.made = seconds_of(track.created_at)
  entry.favorite = track.favorite == true
  entry.latent = track.latent_id ~= nil
  return entry
end

---@param listener lofi.library.Listener
---@return lofi.library.Store
function M.new(listener)
  return setmetatable({
    listing = { list = {}, by_id = {}, offset = 0 },
    sort = "newest",
    total = 0,
    _listener = listener,
    _round = 0,
  }, Store)
end

--- Ask for everything. Quietly: what is there stays until all has come; else each page is shown as it comes.
---@param quietly boolean
function Store:load(quietly)
  self._round = self._round + 1
  self.loading = { list = {}, by_id = {}, offset = 0 }
  self.problem = nil
  if not quietly then
    self.listing = self.loading
    self._listener.replaced()
  end
  self._listener.state()
  self:_ask(self._round)
end

--- There is nobody to ask; what is known stays.
---@param problem lofi.Error
function Store:fail(problem)
  self:stop()
  self.problem = problem
  self._listener.state()
end

--- Forget what is still on its way.
function Store:stop()
  self._round = self._round + 1
  self.loading = nil
end

---@private
---@param round integer
function Store:_ask(round)
  local into = self.loading
  if round ~= self._round or not into then
    return
  end
  local params = { sort = self.sort, limit = PAGE, offset = into.offset }
  into.offset = into.offset + PAGE
  require("lofi").request("cache_list", params, function(err, result)
    if round ~= self._round then
      return
    elseif err then
      self:fail(err)
      return
    end
    self:_take(into, result)
    if into.offset < result.total then
      vim.defer_fn(function()
        self:_ask(round)
      end, GAP_MS)
    else
      self:_loaded()
    end
    self._listener.state()
  end)
end

---@private
---@param into lofi.library.Listing
---@param page { tracks: lofi.Track[], total: integer }
function Store:_take(into, page)
  local fresh = {}
  for _, track in ipairs(page.tracks) do
    if not into.by_id[track.id] then -- one that came meanwhile pushed others on to this page
      local entry = entry_of(track)
      into.by_id[track.id] = entry
      into.list[#into.list + 1] = entry
      fresh[#fresh + 1] = entry
    end
  end
  self.total = page.total
  if into == self.listing then
    self._listener.appended(fresh)
  end
end

---@private
function Store:_loaded()
  local came = self.loading --[[@as lofi.library.Listing]]
  self.loading = nil
  if came ~= self.listing then
    self.listing = came
    self._listener.replaced()
  end
end

---@param listing lofi.library.Listing
---@param entry lofi.library.Entry
---@param sort string
local function insert(listing, entry, sort)
  local low, high = 1, #listing.list + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if STAYS_BEFORE[sort](listing.list[middle], entry) then
      low = middle + 1
    else
      high = middle
    end
  end
  table.insert(listing.list, low, entry)
  listing.by_id[entry.id] = entry
end

--- A track came or is another now. What is there keeps its place until the next load, so that nothing moves away
--- from under the cursor.
---@param track lofi.Track
function Store:put(track)
  local known = self.listing.by_id[track.id]
  if known then
    entry_of(track, known)
  else
    insert(self.listing, entry_of(track), self.sort)
    self.total = self.total + 1
  end
  if self.loading and self.loading ~= self.listing then
    local coming = self.loading.by_id[track.id]
    if coming then
      entry_of(track, coming)
    else
      insert(self.loading, entry_of(track), self.sort)
    end
  end
end

---@param listing lofi.library.Listing
---@param id string
---@return lofi.library.Entry?
local function take_out(listing, id)
  local entry = listing.by_id[id]
  if not entry then
    return nil
  end
  listing.by_id[id] = nil
  for i, other in ipairs(listing.list) do
    if other == entry then
      table.remove(listing.list, i)
      break
    end
  end
  return entry
end

--- A track is gone.
---@param id string
function Store:drop(id)
  local entry, loading = take_out(self.listing, id), self.loading
  if loading and (loading == self.listing and entry or take_out(loading, id)) then
    loading.offset = loading.offset - 1 -- what follows has moved up
  end
  if entry then
    self.total = math.max(0, self.total - 1)
  end
end

return M
