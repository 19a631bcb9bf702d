--- Lyrics where one line has no room for them: the lines of a range, or of the file that `lyrics=@file` names.
local words = require("lofi.command.words")

local M = {}

local MAX_BYTES = 65536
local BYTE_ORDER_MARK = "\239\187\191"

---@param text string
local function refuse(text)
  words.say(text, words.ERROR)
end

---@param path string as the user wrote it
---@param problem string
local function unreadable(path, problem)
  refuse(("the lyrics in %s cannot be read: %s"):format(path, problem))
end

--- There and back: what is no UTF-8 comes back as something else.
---@param text string
---@return boolean
local function is_utf8(text)
  local wide = vim.iconv(text, "utf-8", "utf-16le")
  return wide ~= nil and vim.iconv(wide, "utf-16le", "utf-8") == text
end

--- Read a file without waiting for it; it may lie anywhere.
---@param path string
---@param use fun(text: string)
local function read(path, use)
  local function after(run)
    return vim.schedule_wrap(function(problem, ...)
      if problem then
        unreadable(path, problem)
      else
        run(...)
      end
    end)
  end
  local real = vim.fs.normalize(path)
  vim.uv.fs_stat(
    real,
    after(function(stat)
      if stat.type ~= "file" then
        unreadable(path, "it is a " .. stat.type)
      elseif stat.size > MAX_BYTES then
        unreadable(path, ("it has %d bytes, lyrics have at most %d"):format(stat.size, MAX_BYTES))
      else
        vim.uv.fs_open(
          real,
          "r",
          0,
          after(function(file)
            vim.uv.fs_read(file, stat.size, 0, function(problem, text)
              vim.uv.fs_close(file, function() end)
              after(use)(problem, text)
            end)
          end)
        )
      end
    end)
  )
end

--- Call `go_on` once `opts` has the words that shall be sung, if any; what is wrong with them is said instead.
---@param opts table as lofi.request reads it
---@param range? integer[] first and last line, where the command was given some
---@param go_on fun()
function M.fetch(opts, range, go_on)
  local function sing(text)
    opts.lyrics = vim.trim((text:gsub("^" .. BYTE_ORDER_MARK, ""):gsub("\r\n", "\n")))
    if opts.lyrics == "" then
      refuse("there are no words in what was given as lyrics.")
    elseif not is_utf8(opts.lyrics) then
      refuse("the lyrics are not in UTF-8; save them with :set fileencoding=utf-8.")
    else
      go_on()
    end
  end
  local path = opts.lyrics and opts.lyrics:match("^@(.+)$")
  if range and opts.lyrics then
    refuse("lyrics are given twice: by lines of the buffer, and by lyrics=.")
  elseif range then
    sing(table.concat(vim.api.nvim_buf_get_lines(0, range[1] - 1, range[2], false), "\n"))
  elseif path then
    read(path, sing)
  else
    go_on()
  end
end

--- Completions of `lyrics=@` and the beginning of a path.
---@param start string what stands after "="
---@return string[]?
function M.complete(start)
  local path = start:match("^@(.*)$")
  return path
    and vim.tbl_map(function(found)
      return "@" .. found
    end, vim.fn.getcompletion(path, "file"))
end

return M
