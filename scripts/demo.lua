-- Run by `make demo`: in a real Neovim, :LofiGenerate composes a track; its first seconds are played and its
-- path is printed. Exit 0, or 1 with a sentence.

local PROMPT = "rainy night, mellow rhodes, 75 bpm"
local SECONDS = tonumber(vim.env.LOFI_DEMO_SECONDS) or 10
local GENERATE_MS = 120 * 1000
local ANSWER_MS = 30 * 1000

local on_terminal = vim.uv.guess_handle(1) == "tty"

---@param text string
local function say(text)
  io.stdout:write(text, "\n")
  io.stdout:flush()
end

---@param text string
local function fail(text)
  io.stderr:write("\n", text, "\n")
  vim.cmd("cquit 1")
end

--- On a terminal one line that fills up; in a pipe a line for each quarter.
local last_quarter = -1
---@param percent integer
local function show(percent)
  if on_terminal then
    local done = math.floor(percent * 0.3)
    io.stdout:write(("\r  %3d%% %s%s"):format(percent, ("█"):rep(done), ("░"):rep(30 - done)))
    io.stdout:flush()
  elseif math.floor(percent / 25) > last_quarter then
    last_quarter = math.floor(percent / 25)
    say(("  %3d%%"):format(percent))
  end
end

local problem ---@type string? the first error that the plugin showed
local said = {} ---@type table<string, true>

---@param text string
---@param level? integer
local function on_message(text, level)
  text = text:gsub("^lofi: ", "")
  if level == vim.log.levels.ERROR then
    problem = problem or text
  else
    said[text] = true
    say("  " .. text)
  end
end

--- Wait for `done()`; fail with the error that came meanwhile, or with what was waited for.
---@param ms integer
---@param what string
---@param done fun(): boolean
local function wait(ms, what, done)
  vim.wait(ms, function()
    return problem ~= nil or done()
  end, 20)
  if problem then
    fail(problem)
  elseif not done() then
    fail(("Waited %d s in vain for %s; see %s"):format(ms / 1000, what, require("lofi.log").path()))
  end
end

--- Play for a while, or say why that cannot be.
---@param lofi table
---@param started fun(): boolean
local function listen(lofi, started)
  local player ---@type lofi.PlayerState?
  local function ask()
    lofi.status(function(_, status)
      player = status and status.playback
      if not started() and player and player.state ~= "no_device" then
        vim.defer_fn(ask, 100) -- a sound device takes its time to open
      end
    end)
  end
  ask()
  wait(ANSWER_MS, "the player", function()
    return started() or (player ~= nil and player.state == "no_device")
  end)
  if not started() then
    local reason = player and player.message or "there is no sound device."
    say(said[reason] and "So it is not played." or "It is not played: " .. reason)
    return
  end
  say(("Playing %g seconds of it."):format(SECONDS))
  vim.wait(SECONDS * 1000, function()
    return lofi.status().playback.state == "stopped"
  end, 50)
  local stopped = false
  lofi.stop(function()
    stopped = true
  end)
  wait(ANSWER_MS, "the player to stop", function()
    return stopped
  end)
end

local function demo()
  local lofi = require("lofi")
  vim.notify = on_message
  -- a daemon of its own, so that the demo leaves nothing running
  lofi.setup({ progress = "none", auto_play = true, daemon = { shared = false } })
  local track ---@type lofi.Generated?
  local started = false
  lofi.on("generation_progress", function(data)
    show(data.percent)
  end)
  lofi.on("generation_complete", function(data)
    track = data
  end)
  lofi.on("playback_started", function()
    started = true
  end)

  say(":LofiGenerate " .. PROMPT)
  vim.cmd("LofiGenerate " .. PROMPT)
  wait(GENERATE_MS, "the track", function()
    return track ~= nil
  end)
  show(100)
  if on_terminal then
    say("")
  end
  local how = track.cached and "from the library" or ("made in %.1f s"):format(track.generation_time_sec)
  say(("%g seconds of music, %s."):format(track.duration_sec, how))
  listen(lofi, function()
    return started
  end)
  say("The track: " .. track.path)
  vim.cmd("qall!")
end

-- Scripts given with -S run before Neovim has finished starting; messages wait for that.
vim.api.nvim_create_autocmd("VimEnter", {
  once = true,
  callback = function()
    local ok, err = xpcall(demo, debug.traceback)
    if not ok then
      fail("The demo broke: " .. tostring(err))
    end
  end,
})
