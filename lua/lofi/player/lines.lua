--- What the player window says, as lines; nothing is asked here.
local bar = require("lofi.ui.bar")
local config = require("lofi.config")
local message = require("lofi.message")
local rows = require("lofi.ui.rows")
local state = require("lofi.state")
local time = require("lofi.time")

local M = {}

local LABEL = 8 -- columns of the words at the left
local VOLUME_BAR = 20
local UP_NEXT = 4

---@class lofi.player.Model
---@field told? lofi.PlayerState what the daemon said when it was asked; events do not tell why there is silence
---@field track? lofi.Track the one that plays, once the library has it

---@class lofi.player.Bar where a bar can be clicked
---@field row integer from 1
---@field first integer column of the window, from 1
---@field columns integer

---@class lofi.player.Lines
---@field rows lofi.ui.Row[]
---@field place? lofi.player.Bar of the track
---@field volume? lofi.player.Bar
---@field tracks table<integer, string> row, from 1 → the track that comes then

---@class lofi.player.Writer: lofi.player.Lines
---@field width integer

---@param out lofi.player.Writer
---@param label string
---@param ... lofi.ui.Piece
local function add(out, label, ...)
  table.insert(out.rows, { { rows.fit(" " .. label, LABEL), "LofiLabel" }, ... })
end

--- Sentences, over as many lines as they need.
---@param out lofi.player.Writer
---@param label string
---@param text string
---@param group? string
local function add_text(out, label, text, group)
  for i, line in ipairs(message.wrap(text, out.width - LABEL - 1)) do
    add(out, i == 1 and label or "", { line, group })
  end
end

---@param share number
---@param columns integer
---@return lofi.ui.Piece done
---@return lofi.ui.Piece rest
local function bar_pieces(share, columns)
  local text, done = bar.draw(share, columns)
  return { text:sub(1, done), "LofiBarDone" }, { text:sub(done + 1), "LofiBarRest" }
end

--- "playing", "paused", "waiting" for a device, "no_device" or "stopped". Only the daemon's answer can tell the
--- three silences apart that events tell as one.
---@param model lofi.player.Model
---@return string
function M.state(model)
  local now, told = state.current.playback.state, model.told and model.told.state
  if (now == "paused" and told == "waiting") or (now == "stopped" and told == "no_device") then
    return told
  end
  return now
end

---@return lofi.PlaylistEntry?
local function playlist_current()
  local playlist = state.current.playlist
  return playlist and playlist.index and playlist.tracks[playlist.index + 1] or nil
end

---@param entry lofi.PlaylistEntry
---@return string
local function entry_title(entry)
  return (vim.trim(entry.prompt):gsub("[%s%c]+", " "))
end

local ICONS = {
  playing = { "icons.playing", "LofiPlaying" },
  paused = { "icons.paused", "LofiPaused" },
  waiting = { "icons.paused", "LofiWarn" },
  no_device = { "icons.error", "LofiError" },
}

---@param out lofi.player.Writer
---@param model lofi.player.Model
---@param kind string
local function now_playing(out, model, kind)
  local current = playlist_current()
  local id = state.current.playback.track_id
  local name = id and state.name(id) or current and entry_title(current) or ""
  local icon, group = config.current[ICONS[kind][1]], ICONS[kind][2]
  local heart = model.track and model.track.favorite and config.current["icons.favorite"] or ""
  local room = out.width - vim.fn.strdisplaywidth(icon .. heart) - 4
  table.insert(out.rows, {
    { " " .. icon .. " ", group },
    { rows.fit(name, room), "LofiTitle" },
    { " " .. heart, "LofiFavorite" },
  })
  local notes = { (kind:gsub("_", " ")) }
  table.insert(notes, model.track and model.track.backend)
  local told = model.told
  if kind == "playing" and told and told.device then
    table.insert(notes, told.device)
  end
  local indent = (" "):rep(vim.fn.strdisplaywidth(icon) + 2)
  table.insert(out.rows, { { rows.fit(indent .. table.concat(notes, ", "), out.width), "LofiMuted" } })
  if (kind == "waiting" or kind == "no_device") and told and told.message then
    for _, line in ipairs(message.wrap(told.message, out.width - #indent - 1)) do
      table.insert(out.rows, { { indent .. line, group } })
    end
  end
end

---@param out lofi.player.Writer
local function nothing_plays(out)
  table.insert(out.rows, { { " Nothing plays.", "LofiTitle" } })
  local playlist = state.current.playlist
  local what = playlist and #playlist.tracks > 0 and "the playlist" or "the newest track"
  local radio = state.current.radio and "" or ", r starts the radio"
  local text = ("<Space> plays %s%s, :LofiGenerate {prompt} makes a track."):format(what, radio)
  for _, line in ipairs(message.wrap(text, out.width - 2)) do
    table.insert(out.rows, { { " " .. line, "LofiMuted" } })
  end
end

---@param out lofi.player.Writer
local function place(out)
  local position, length = state.position(), state.current.playback.duration_sec or 0
  local ending = length > 0 and time.clock(length) or ""
  local columns = out.width - LABEL - #ending - 2
  local clock = rows.fit(" " .. time.clock(position), LABEL)
  local done, rest = bar_pieces(length > 0 and position / length or 0, columns)
  table.insert(out.rows, { { clock, "LofiTime" }, done, rest, { " " .. ending, "LofiTime" } })
  out.place = { row = #out.rows, first = LABEL + 1, columns = columns }
end

--- No two bars in neighbouring lines: they would run into one.
---@param out lofi.player.Writer
---@param model lofi.player.Model
local function settings(out, model)
  local modes = {} ---@type string[]
  local playlist, told = state.current.playlist, model.told
  if playlist then
    vim.list_extend(modes, {
      "loop " .. playlist.loop,
      "shuffle " .. (playlist.shuffle and "on" or "off"),
    })
  end
  if told then
    table.insert(modes, ("crossfade %g s"):format(told.crossfade_sec or 0)) -- zero is left out
  end
  if #modes > 0 then
    add_text(out, "Modes", table.concat(modes, ", "))
  end
  local level = state.current.volume
  if level then
    local columns = math.min(VOLUME_BAR, out.width - LABEL - 7)
    local done, rest = bar_pieces(level, columns)
    add(out, "Volume", done, rest, { (" %d %%"):format(math.floor(level * 100 + 0.5)) })
    out.volume = { row = #out.rows, first = LABEL + 1, columns = columns }
  end
end

---@param out lofi.player.Writer
local function radio(out)
  local now = state.current.radio
  if not now then
    return
  end
  local what = now.preset or now.prompt
  local strategy = now.strategy:gsub("_", " ")
  local text = what and ("%s: %s"):format(strategy, what) or strategy
  add(out, "Radio", { rows.fit(text, out.width - LABEL - 1), "LofiRadio" })
  if now.message then
    add_text(out, "", now.message, "LofiMuted")
  end
end

---@param out lofi.player.Writer
local function timers(out)
  local now = state.current
  if now.sleep_at then
    add_text(out, "Sleep", "the music ends in " .. time.clock(state.seconds_until(now.sleep_at)))
  end
  if now.focus then
    local focus = now.focus
    local round = focus.rounds and (", round %d of %d"):format(focus.round, focus.rounds)
      or (", round %d"):format(focus.round or 1)
    add_text(
      out,
      "Focus",
      ("%s for %s%s"):format(focus.phase, time.clock(state.seconds_until(focus.ends_at)), round)
    )
  end
end

---@param out lofi.player.Writer
local function making(out)
  local job = state.running()
  if not job then
    return
  end
  local eta = job.eta_sec and (", %s left"):format(time.clock(math.ceil(job.eta_sec))) or ""
  local notes = (" %d %%%s"):format(job.percent, eta)
  local done, rest = bar_pieces(job.percent / 100, math.min(VOLUME_BAR, out.width - LABEL - 17))
  local waiting = state.current.waiting or 0
  local tail = waiting > 0 and (", %d waiting"):format(waiting) or ""
  local room = out.width - LABEL - 1 - #tail
  add(out, "Making", { vim.trim(rows.fit(job.prompt, room)), "LofiGenerating" }, { tail, "LofiMuted" })
  add(out, "", done, rest, { notes })
end

--- Positions in the playlist of what comes, in order.
---@param playlist lofi.Playlist with a current track
---@return integer[] from 1
local function coming(playlist)
  local count, found = #playlist.tracks, {} ---@type integer, integer[]
  for at = playlist.index + 2, playlist.index + count do
    if at > count and playlist.loop ~= "all" then
      break
    end
    table.insert(found, (at - 1) % count + 1)
  end
  return found
end

---@param out lofi.player.Writer
local function up_next(out)
  local playlist = state.current.playlist
  if not playlist or not playlist.index or state.current.playback.state == "stopped" then
    return
  end
  table.insert(out.rows, { { "" } })
  if playlist.loop == "one" or playlist.loop == "all" and #playlist.tracks == 1 then
    add_text(out, "Next", "the same again")
    return
  elseif playlist.shuffle then
    add_text(out, "Next", ("any of %d tracks"):format(#playlist.tracks))
    return
  end
  local list = coming(playlist)
  for i = 1, math.min(#list, UP_NEXT) do
    local entry = playlist.tracks[list[i]]
    local length = time.clock(entry.duration_sec)
    local room = out.width - LABEL - #length - 2
    add(out, i == 1 and "Next" or "", { rows.fit(entry_title(entry), room) }, { " " .. length, "LofiTime" })
    out.tracks[#out.rows] = entry.track_id
  end
  if #list > UP_NEXT then
    add(out, "", { ("and %d more"):format(#list - UP_NEXT), "LofiMuted" })
  elseif #list == 0 then
    local radio_goes_on = state.current.radio ~= nil
    add_text(out, "Next", radio_goes_on and "what the radio makes" or "nothing", "LofiMuted")
  end
end

--- The whole window.
---@param model lofi.player.Model
---@param problem string? why the daemon cannot be asked
---@param width integer columns
---@return lofi.player.Lines
function M.draw(model, problem, width)
  local out = { rows = {}, tracks = {}, width = width } ---@type lofi.player.Writer
  if problem then
    for _, line in ipairs(message.wrap(problem, width - 2)) do
      table.insert(out.rows, { { " " .. line, "LofiError" } })
    end
    return out
  end
  local kind = M.state(model)
  if kind == "stopped" and not model.told then
    table.insert(out.rows, { { " asking the daemon", "LofiMuted" } })
  elseif kind == "stopped" then
    nothing_plays(out)
  else
    now_playing(out, model, kind)
  end
  table.insert(out.rows, { { "" } })
  if state.current.playback.track_id then
    place(out)
  end
  settings(out, model)
  radio(out)
  timers(out)
  making(out)
  up_next(out)
  return out
end

return M
