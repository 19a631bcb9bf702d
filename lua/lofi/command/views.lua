--- :LofiLibrary, :LofiPlayer and :LofiQueue.
local words = require("lofi.command.words")

---@param name string the subcommand, and the room that has the view
---@return lofi.Subcommand
local function view(name)
  return {
    run = function(args)
      if vim.fn.getcmdwintype() ~= "" then -- Neovim opens no window from there
        words.say("close the command-line window first.", words.WARN)
      elseif words.takes_nothing(name, args) then
        require("lofi." .. name).open()
      end
    end,
  }
end

---@type table<string, lofi.Subcommand>
return { library = view("library"), player = view("player"), queue = view("queue") }
