--- The keys of the player window, and the click on its bars.
local bar = require("lofi.ui.bar")
local mirror = require("lofi.mirror")
local modes = require("lofi.ui.modes")
local state = require("lofi.state")
local words = require("lofi.command.words")

local STEP_SEC = 10
local STEP_VOLUME = 0.05
local CROSSFADES = { 0, 2, 4, 6, 8, 12 }

---@param view lofi.player.View
---@return lofi.ui.Key[]
---@return fun() click
return function(view)
  --- What hears the answer to a key.
  ---@param told? fun(result: table)
  ---@return lofi.rpc.Callback
  local function answered(told)
    return view.live:answered(told)
  end

  --- Keep what the daemon says of its player.
  ---@param result lofi.PlayerState
  local function keep(result)
    view.told = result
  end

  ---@param sign "+"|"-"
  ---@return fun()
  local function seek(sign)
    return function()
      if not state.current.playback.track_id then
        words.say("nothing plays.")
        return
      end
      require("lofi").seek(sign .. STEP_SEC * vim.v.count1, answered(keep))
      view.live:draw_soon()
    end
  end

  ---@param level number
  local function set_volume(level)
    level = math.max(0, math.min(1, level))
    mirror.apply("volume_changed", { level = level }) -- so that the next step counts from there
    require("lofi").volume(level, answered())
    view.live:draw_soon()
  end

  ---@param step number
  ---@return fun()
  local function volume(step)
    return function()
      local by = step * vim.v.count1
      if state.current.volume then
        set_volume(state.current.volume + by)
      else
        require("lofi").volume(
          nil,
          answered(function(result)
            set_volume(result.level + by)
          end)
        )
      end
    end
  end

  local function favorite()
    local track = view.track
    if not track then
      local id = state.current.playback.track_id
      words.say(id and "the track is still being made." or "nothing plays.")
      return
    end
    require("lofi").request(
      "track_favorite",
      { track_id = track.id, favorite = not track.favorite },
      answered(function(changed)
        if view.track and view.track.id == changed.id then
          view.track = changed
        end
      end)
    )
  end

  local function crossfade()
    local now = view.told and view.told.crossfade_sec or 0
    local longer = vim.iter(CROSSFADES):find(function(seconds)
      return seconds > now
    end)
    require("lofi").crossfade(longer or CROSSFADES[1], answered(keep))
  end

  local function loop()
    modes.loop(answered())
  end

  local function shuffle()
    modes.shuffle(answered())
  end

  local function radio()
    if state.current.radio then
      require("lofi").radio(false, answered())
    else
      require("lofi").radio(nil, answered())
    end
  end

  local function play_this()
    local track = view.drawn.tracks[view.surface:row() + 1]
    if track then
      require("lofi").play(track, answered(keep))
    end
  end

  --- A click on a bar goes there; any other does what it always does.
  local function click()
    local mouse = vim.fn.getmousepos()
    if mouse.winid == view.surface:window() then
      local before = (view.rows.texts[mouse.line] or ""):sub(1, mouse.column - 1)
      for name, target in pairs({ place = view.drawn.place, volume = view.drawn.volume }) do
        local column = vim.fn.strdisplaywidth(before) + 1 - target.first
        if mouse.line == target.row and column >= 0 and column < target.columns then
          local share = bar.share_at(column, target.columns)
          if name == "volume" then
            set_volume(share)
          else
            require("lofi").seek(share * (state.current.playback.duration_sec or 0), answered(keep))
          end
          return
        end
      end
    end
    vim.api.nvim_feedkeys(vim.keycode("<LeftMouse>"), "n", false)
  end

  ---@param name "toggle"|"skip"|"previous"|"stop"
  ---@return fun()
  local function command(name)
    return function()
      require("lofi")[name](answered(keep))
    end
  end

  ---@param sub string
  ---@return fun()
  local function room(sub)
    return function()
      require("lofi.command").run(sub)
    end
  end

  ---@type lofi.ui.Key[]
  local keys = {
    { { "<Space>", "p" }, "pause or play", command("toggle") },
    { "n", "next track", command("skip") },
    { "N", "track before", command("previous") },
    { { "l", "<Right>" }, "ten seconds on", seek("+") },
    { { "h", "<Left>" }, "ten seconds back", seek("-") },
    { { "+", "=" }, "louder", volume(STEP_VOLUME) },
    { "-", "quieter", volume(-STEP_VOLUME) },
    { "s", "shuffle on or off", shuffle },
    { "o", "loop off, all, one", loop },
    { "c", "longer crossfade, then none", crossfade },
    { "r", "radio on or off", radio },
    { "f", "favourite, or no more", favorite },
    { "<CR>", "play the track under the cursor", play_this },
    { "d", "choose the sound device", room("devices") },
    { "L", "the library", room("library") },
    { "Q", "the queue", room("queue") },
    { "x", "stop", command("stop") },
    {
      { "q", "<Esc>" },
      "close",
      function()
        view.surface:close()
      end,
    },
  }
  return keys, click
end
