-- Commands and <Plug> maps. Nothing of lofi is loaded before one of them is used.
if vim.g.loaded_lofi then
  return
end
vim.g.loaded_lofi = true

if vim.fn.has("nvim-0.11") == 0 then
  vim.notify("lofi.nvim needs Neovim 0.11 or newer; update Neovim or remove the plugin.", vim.log.levels.WARN)
  return
end

---@param name string
---@param sub string the subcommand it stands for; "" = the first word says it
---@param nargs string|integer
---@param desc string
local function command(name, sub, nargs, desc)
  vim.api.nvim_create_user_command(name, function(args)
    require("lofi.command").run(sub, args.args)
  end, {
    nargs = nargs,
    desc = desc,
    complete = nargs ~= 0 and function(_, line, position)
      return require("lofi.command").complete(sub, line:sub(1, position))
    end or nil,
  })
end

command("Lofi", "", "*", "Background music: generate, play, pause, …")
command("LofiGenerate", "generate", "*", "Compose a track from a prompt")
command("LofiPlay", "play", "?", "Play a track, or go on playing")
command("LofiPause", "pause", 0, "Pause the music")
command("LofiResume", "resume", 0, "Go on after a pause")
command("LofiToggle", "toggle", 0, "Pause or play")
command("LofiStop", "stop", 0, "Stop the music")
command("LofiCancel", "cancel", "?", "Cancel a generation")
command("LofiVolume", "volume", "?", "Show or set the volume in percent")
command("LofiBackends", "backends", 0, "Show what can make music here")
command("LofiStatus", "status", 0, "Show what plays and what is being made")
command("LofiLog", "log", 0, "Open the log")

---@param name string
---@param sub string
---@param desc string
local function plug(name, sub, desc)
  vim.api.nvim_set_keymap("n", "<Plug>(lofi-" .. name .. ")", "<Cmd>Lofi " .. sub .. "<CR>", { desc = desc })
end

plug("generate", "generate", "Ask for a prompt and compose a track")
plug("play", "play", "Play")
plug("pause", "pause", "Pause")
plug("resume", "resume", "Go on after a pause")
plug("toggle", "toggle", "Pause or play")
plug("stop", "stop", "Stop the music")
plug("cancel", "cancel", "Cancel the generation")
plug("volume-up", "volume +5", "Louder")
plug("volume-down", "volume -5", "Quieter")
plug("status", "status", "Show what plays and what is being made")
