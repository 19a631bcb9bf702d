--- What can be picked from: how it is asked for, how a line of it looks, and what choosing one does. Shared by
--- lofi.pick (vim.ui.select), the telescope extension and the snacks sources.
local config = require("lofi.config")
local facts = require("lofi.library.facts")
local message = require("lofi.message")
local state = require("lofi.state")
local time = require("lofi.time")

---@alias lofi.pick.Done fun(err: lofi.Error?, items: table[]?, total: integer?) `total`: how many there are, if more

---@class lofi.pick.Source
---@field prompt string
---@field kind string for vim.ui.select, so that a picker can be told how to show it
---@field none string what is said when there is nothing to choose from
---@field fetch fun(query: string, done: lofi.pick.Done)
---@field cells fun(item: table): string[] the columns of its line
---@field details fun(item: table): string[] lines to read before choosing
---@field choose fun(item: table)

local PAGE = 200 -- as many as the daemon gives at once
local MOST = 1000 -- more than this nobody reads; words after :LofiPick tracks find the others

--- A line of the command line, without its colon and the first word, Lofi.
---@param line string
local function run(line)
  require("lofi.command").run(line)
end

--- Pickers are narrower than the screen.
---@param prompt string
---@return string
local function title(prompt)
  local width = math.max(12, math.min(52, math.floor(vim.o.columns * 0.45)))
  return message.cut((vim.trim(prompt):gsub("[%s%c]+", " ")), width)
end

---@param method string
---@param member string of the reply, that lists the items
---@param done lofi.pick.Done
local function list(method, member, done)
  require("lofi").request(method, nil, function(err, result)
    done(err, result and result[member])
  end)
end

---@param pairs_ (string|number|nil)[][] label, value
---@return string[]
local function table_lines(pairs_)
  local lines = {}
  for _, pair in ipairs(pairs_) do
    if pair[2] ~= nil and pair[2] ~= "" then
      table.insert(lines, ("%-12s %s"):format(pair[1], tostring(pair[2])))
    end
  end
  return lines
end

---@type lofi.pick.Source
local tracks = {
  prompt = "Play which track?",
  kind = "lofi_track",
  none = "the library is empty; :LofiGenerate makes a track.",
  fetch = function(query, done)
    local found = {} ---@type lofi.Track[]
    local function more()
      local params = { query = query ~= "" and query or nil, limit = PAGE, offset = #found }
      require("lofi").request("cache_list", params, function(err, page)
        if err then
          done(err)
          return
        end
        vim.list_extend(found, page.tracks)
        if #page.tracks == 0 or #found >= math.min(page.total, MOST) then
          done(nil, found, page.total)
        else
          more()
        end
      end)
    end
    more()
  end,
  cells = function(track)
    local heart = track.favorite and config.current["icons.favorite"] or ""
    return { heart, title(track.prompt), track.backend, time.clock(track.duration_sec) }
  end,
  details = function(track)
    local lines = { (track.prompt:gsub("[%s%c]+", " ")), "" }
    local params = track.params or {}
    return vim.list_extend(
      lines,
      table_lines({
        { "Length", time.clock(track.duration_sec) },
        { "Backend", track.backend },
        { "Seed", facts.text(track.seed) },
        { "Tempo", params.bpm },
        { "Key", params.keyscale },
        { "Made", (track.created_at or ""):sub(1, 10) },
        { "Favourite", track.favorite and "yes" or nil },
        { "Track", track.id:sub(1, 12) },
        { "File", track.path and vim.fn.fnamemodify(track.path, ":~") },
      })
    )
  end,
  choose = function(track)
    state.remember(track.id, track.prompt)
    run("play " .. track.id)
  end,
}

---@type lofi.pick.Source
local playlist = {
  prompt = "Go on with which track?",
  kind = "lofi_playlist",
  none = "the playlist is empty; :LofiPlaylist add {track} puts one in.",
  fetch = function(_, done)
    list("playlist_get", "tracks", done)
  end,
  cells = function(entry)
    local now = state.current.playback
    local icon = now.track_id == entry.track_id and config.current["icons." .. now.state] or ""
    return { icon, title(entry.prompt), time.clock(entry.duration_sec) }
  end,
  details = function(entry)
    return { entry.prompt, "", time.clock(entry.duration_sec), entry.track_id:sub(1, 12) }
  end,
  choose = function(entry)
    state.remember(entry.track_id, entry.prompt)
    run("play " .. entry.track_id)
  end,
}

---@type lofi.pick.Source
local presets = {
  prompt = "What shall the radio play?",
  kind = "lofi_preset",
  none = "there are no presets.",
  fetch = function(_, done)
    list("presets_list", "presets", done)
  end,
  cells = function(preset)
    return { preset.name, title(preset.prompt) }
  end,
  details = function(preset)
    local lines = { preset.prompt, "" }
    return vim.list_extend(lines, table_lines({ { "Tempo", preset.bpm }, { "Key", preset.keyscale } }))
  end,
  choose = function(preset)
    run("radio preset=" .. preset.name)
  end,
}

---@type lofi.pick.Source
local backends = {
  prompt = "What makes the music of this editor?",
  kind = "lofi_backend",
  none = "there are no backends.",
  fetch = function(_, done)
    require("lofi").backends(function(err, result)
      local as_set = result and { name = "as the settings say", status = result.default_backend }
      done(err, result and vim.list_extend({ as_set }, result.backends))
    end)
  end,
  cells = function(backend)
    local chosen = backend.type == require("lofi.jobs").backend and "chosen" or ""
    return { backend.name, (backend.status:gsub("_", " ")), chosen }
  end,
  details = function(backend)
    return table_lines({ { "Name", backend.type }, { "Status", backend.status }, { "", backend.message } })
  end,
  choose = function(backend)
    if backend.type and backend.status ~= "ready" then
      run("backends") -- where it can be installed
      return
    end
    require("lofi.jobs").backend = backend.type
    local what = backend.type and backend.name or "what the settings name"
    message.say(("%s makes the music of this editor from now on."):format(what))
  end,
}

---@type lofi.pick.Source
local devices = {
  prompt = "Where shall it play?",
  kind = "lofi_device",
  none = "there is no sound device; :checkhealth lofi says more.",
  fetch = function(_, done)
    require("lofi").devices(nil, function(err, result)
      if err or #result.devices == 0 then
        done(err, {})
        return
      end
      local all = { { id = "", name = "the system's default" } }
      for _, device in ipairs(vim.list_extend(all, result.devices)) do
        device.chosen = device.id == result.chosen
      end
      done(nil, all)
    end)
  end,
  cells = function(device)
    local notes = {}
    table.insert(notes, device.is_default and "default" or nil)
    table.insert(notes, device.chosen and "chosen" or nil)
    return { device.name, table.concat(notes, ", ") }
  end,
  details = function(device)
    return table_lines({ { "Name", device.name }, { "Output", device.output } })
  end,
  choose = function(device)
    run("devices " .. (device.id == "" and "default" or device.id))
  end,
}

---@type table<string, lofi.pick.Source>
return { tracks = tracks, playlist = playlist, presets = presets, backends = backends, devices = devices }
