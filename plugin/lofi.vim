" Commands and <Plug> maps; nothing of lofi is loaded before one of them is used. In Vim script, which costs a start of
" the editor two thirds of what the same in Lua does; `com` and `nn` are `command` and `nnoremap`, and cost less.
if exists('g:loaded_lofi')
  finish
endif
let g:loaded_lofi = v:true

if !has('nvim-0.11')
  lua vim.notify('lofi.nvim needs Neovim 0.11 or newer; update Neovim or remove the plugin.', vim.log.levels.WARN)
  finish
endif

com -range -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete Lofi lua require("lofi.command").run(<q-args>, <range> > 0 and { <line1>, <line2> } or nil)
com -range -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiGenerate lua require("lofi.command").run("generate " .. <q-args>, <range> > 0 and { <line1>, <line2> } or nil)
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiPlay Lofi play <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiCancel Lofi cancel <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiVolume Lofi volume <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiRadio Lofi radio <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiSeek Lofi seek <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiPlaylist Lofi playlist <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiLoop Lofi loop <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiShuffle Lofi shuffle <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiCrossfade Lofi crossfade <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiDevices Lofi devices <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiSleep Lofi sleep <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiFocus Lofi focus <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiPick Lofi pick <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiInstall Lofi install <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiBackends Lofi backends <args>
com -range -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiAce lua require("lofi.command").run("ace " .. <q-args>, <range> > 0 and { <line1>, <line2> } or nil)
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiStudio Lofi studio <args>
com -nargs=* -complete=customlist,v:lua.require'lofi.command'.complete LofiLineage Lofi lineage <args>
com LofiLibrary Lofi library
com LofiPlayer Lofi player
com LofiQueue Lofi queue
com LofiPause Lofi pause
com LofiResume Lofi resume
com LofiToggle Lofi toggle
com LofiStop Lofi stop
com LofiSkip Lofi skip
com LofiPrevious Lofi previous
com LofiStatus Lofi status
com LofiLog Lofi log

nn <Plug>(lofi-generate) <Cmd>Lofi generate<CR>
nn <Plug>(lofi-play) <Cmd>Lofi play<CR>
nn <Plug>(lofi-pause) <Cmd>Lofi pause<CR>
nn <Plug>(lofi-resume) <Cmd>Lofi resume<CR>
nn <Plug>(lofi-toggle) <Cmd>Lofi toggle<CR>
nn <Plug>(lofi-stop) <Cmd>Lofi stop<CR>
nn <Plug>(lofi-skip) <Cmd>Lofi skip<CR>
nn <Plug>(lofi-previous) <Cmd>Lofi previous<CR>
nn <Plug>(lofi-forward) <Cmd>Lofi seek +10<CR>
nn <Plug>(lofi-back) <Cmd>Lofi seek -10<CR>
nn <Plug>(lofi-radio) <Cmd>Lofi radio<CR>
nn <Plug>(lofi-playlist) <Cmd>Lofi playlist<CR>
nn <Plug>(lofi-devices) <Cmd>Lofi devices<CR>
nn <Plug>(lofi-cancel) <Cmd>Lofi cancel<CR>
nn <Plug>(lofi-volume-up) <Cmd>Lofi volume +5<CR>
nn <Plug>(lofi-volume-down) <Cmd>Lofi volume -5<CR>
nn <Plug>(lofi-library) <Cmd>Lofi library<CR>
nn <Plug>(lofi-player) <Cmd>Lofi player<CR>
nn <Plug>(lofi-queue) <Cmd>Lofi queue<CR>
nn <Plug>(lofi-studio) <Cmd>Lofi studio<CR>
nn <Plug>(lofi-pick) <Cmd>Lofi pick<CR>
nn <Plug>(lofi-status) <Cmd>Lofi status<CR>
