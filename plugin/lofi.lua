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
command LofiPause Lofi pause
command LofiResume Lofi resume
command LofiToggle Lofi toggle
command LofiStop Lofi stop
command LofiBackends Lofi backends
command LofiStatus Lofi status
command LofiLog Lofi log

nnoremap <Plug>(lofi-generate) <Cmd>Lofi generate<CR>
nnoremap <Plug>(lofi-play) <Cmd>Lofi play<CR>
nnoremap <Plug>(lofi-pause) <Cmd>Lofi pause<CR>
nnoremap <Plug>(lofi-resume) <Cmd>Lofi resume<CR>
nnoremap <Plug>(lofi-toggle) <Cmd>Lofi toggle<CR>
nnoremap <Plug>(lofi-stop) <Cmd>Lofi stop<CR>
nnoremap <Plug>(lofi-cancel) <Cmd>Lofi cancel<CR>
nnoremap <Plug>(lofi-volume-up) <Cmd>Lofi volume +5<CR>
nnoremap <Plug>(lofi-volume-down) <Cmd>Lofi volume -5<CR>
nnoremap <Plug>(lofi-status) <Cmd>Lofi status<CR>
]])
