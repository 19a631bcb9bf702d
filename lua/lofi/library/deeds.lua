--- What can be done with tracks, from their lines and from their details.
local message = require("lofi.message")
local state = require("lofi.state")
local words = require("lofi.command.words")

local M = {}

---@param id string
---@param prompt string
function M.play(id, prompt)
  state.remember(id, prompt)
  require("lofi").play(
    id,
    words.or_complain(function(result)
      if result.state == "no_device" or result.state == "waiting" then
        message.say(result.message or "there is no sound device.", vim.log.levels.WARN)
      end
    end)
  )
end

---@param ids string[]
---@param opts? { next?: boolean }
function M.add(ids, opts)
  local what = opts and opts.next and "%s to play next, %d in the playlist" or "%s added, %d in the playlist"
  require("lofi").playlist.add(
    ids,
    opts or {},
    words.or_complain(function(playlist)
      message.say(what:format(words.tracks(#ids), #playlist.tracks))
    end)
  )
end

--- How it looks then comes as `library_changed`.
---@param ids string[]
---@param wanted boolean
function M.favorite(ids, wanted)
  for _, id in ipairs(ids) do
    local params = { track_id = id, favorite = wanted }
    require("lofi").request("track_favorite", params, words.or_complain(function() end))
  end
end

---@param paths string[]
---@param register string
function M.yank(paths, register)
  vim.fn.setreg(register, table.concat(paths, "\n"), #paths > 1 and "l" or "c")
  message.say(#paths == 1 and "yanked " .. paths[1] or ("yanked the paths of %d tracks"):format(#paths))
end

--- Where an export goes unless the user says otherwise.
---@return string folder
local function music_folder()
  local home = vim.env.XDG_MUSIC_DIR or vim.fs.joinpath(vim.uv.os_homedir() or "", "Music")
  return (vim.fn.isdirectory(home) == 1 and home or vim.fn.getcwd()) .. "/"
end

--- Ask for a path and copy the track there; the daemon finds a name in a folder, and overwrites nothing.
---@param id string
function M.export(id)
  local ask = { prompt = "Export to: ", default = music_folder(), completion = "file" }
  vim.ui.input(ask, function(path)
    if not path or vim.trim(path) == "" then
      return
    end
    local params = { track_id = id, path = vim.fn.fnamemodify(vim.trim(path), ":p") }
    require("lofi").request(
      "track_export",
      params,
      words.or_complain(function(result)
        message.say("exported to " .. result.path)
      end)
    )
  end)
end

return M
