-- Commands and <Plug> maps. Nothing of lofi is loaded before one of them is used. They are defined in Vim script:
-- the same through the Lua API costs every start of the editor more than twice as much.
if vim.g.loaded_lofi then
  return
end
vim.g.loaded_lofi = true

if vim.fn.has("nvim-0.11") == 0 then
  local text = "lofi.nvim needs Neovim 0.11 or newer; update Neovim or remove the plugin."
  vim.notify(text, vim.log.levels.WARN)
  return
end

vim.cmd([[
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete Lofi lua require("lofi.command").run(<q-args>)
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiGenerate Lofi generate <args>
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiPlay Lofi play <args>
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiCancel Lofi cancel <args>
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiVolume Lofi volume <args>
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiRadio Lofi radio <args>
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiSeek Lofi seek <args>
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiPlaylist Lofi playlist <args>
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiLoop Lofi loop <args>
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiShuffle Lofi shuffle <args>
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiCrossfade Lofi crossfade <args>
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiDevices Lofi devices <args>
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiSleep Lofi sleep <args>
command -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiFocus Lofi focus <args>
command LofiPause Lofi pause
command LofiResume Lofi resume
command LofiToggle Lofi toggle
command LofiStop Lofi stop
command LofiSkip Lofi skip
command LofiPrevious Lofi previous
command LofiBackends Lofi backends
command LofiStatus Lofi status
command LofiLog Lofi log

nnoremap <Plug>(lofi-generate) <Cmd>Lofi generate<CR>
nnoremap <Plug>(lofi-play) <Cmd>Lofi play<CR>
nnoremap <Plug>(lofi-pause) <Cmd>Lofi pause<CR>
nnoremap <Plug>(lofi-resume) <Cmd>Lofi resume<CR>
nnoremap <Plug>(lofi-toggle) <Cmd>Lofi toggle<CR>
nnoremap <Plug>(lofi-stop) <Cmd>Lofi stop<CR>
nnoremap <Plug>(lofi-skip) <Cmd>Lofi skip<CR>
nnoremap <Plug>(lofi-previous) <Cmd>Lofi previous<CR>
nnoremap <Plug>(lofi-forward) <Cmd>Lofi seek +10<CR>
nnoremap <Plug>(lofi-back) <Cmd>Lofi seek -10<CR>
nnoremap <Plug>(lofi-radio) <Cmd>Lofi radio<CR>
nnoremap <Plug>(lofi-playlist) <Cmd>Lofi playlist<CR>
nnoremap <Plug>(lofi-devices) <Cmd>Lofi devices<CR>
nnoremap <Plug>(lofi-cancel) <Cmd>Lofi cancel<CR>
nnoremap <Plug>(lofi-volume-up) <Cmd>Lofi volume +5<CR>
nnoremap <Plug>(lofi-volume-down) <Cmd>Lofi volume -5<CR>
nnoremap <Plug>(lofi-status) <Cmd>Lofi status<CR>
]])
