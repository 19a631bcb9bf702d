--- :LofiGenerate, :LofiAce, :LofiCancel, and a prompt straight after :Lofi.
local state = require("lofi.state")
local words = require("lofi.command.words")

--- Make what `opts` say, or ask what that shall be.
---@param opts table
local function make(opts)
  if opts.prompt then
    require("lofi").generate(opts)
    return
  end
  vim.ui.input({ prompt = "What shall it be? " }, function(prompt)
    if prompt and vim.trim(prompt) ~= "" then
      opts.prompt = vim.trim(prompt)
      require("lofi").generate(opts)
    end
  end)
end

--- A subcommand that makes what its words say; the lines of a range are sung.
---@param read "parse"|"sentence" how lofi.request reads the words
---@param backend? string where they name none
---@return lofi.Subcommand.Run
local function generate(read, backend)
  return function(line, range)
    local opts, err = require("lofi.request")[read](line)
    if not opts then
      words.complain(err --[[@as lofi.Error]])
      return
    end
    opts.backend = opts.backend or backend
    require("lofi.command.lyrics").fetch(opts, range, function()
      make(opts)
    end)
  end
end

--- Models of the backend that the words name, or that answers when none is named.
---@param before string
---@return string[]?
local function models(before)
  local wanted = before:match("backend=(%S+)") or state.current.default_backend
  local backend = vim.iter(state.current.backends or {}):find(function(known)
    return known.type == wanted
  end)
  return backend and backend.models
end

---@param before string
---@return string[]
local function complete(before)
  local known = state.current.backends
  local names = known and vim.iter(known):map(function(backend)
    return backend.type
  end)
  local lyrics = before:match("%f[%S]lyrics=(%S*)$")
  return require("lofi.request").complete(before, {
    backend = names and names:totable(),
    model = models(before),
    reference_audio_id = words.short(state.known_tracks()),
    src_audio_id = words.short(state.known_tracks()),
    init_latent_id = words.short(state.known_latents()),
    lyrics = lyrics and require("lofi.command.lyrics").complete(lyrics),
  })
end

---@param args string
local function cancel(args)
  require("lofi").cancel(args ~= "" and args or nil, function(err, result)
    if err then
      words.complain(err)
    elseif not result.cancelled then
      words.say("it was finished before it could be cancelled.")
    end -- that it was cancelled is an event, and shown as one
  end)
end

---@type table<string, lofi.Subcommand>
return {
  generate = { run = generate("parse"), takes_range = true, complete = complete },
  ace = { run = generate("sentence", "ace_step"), takes_range = true, complete = complete },
  -- no word for it: what begins with no subcommand
  prompt = { run = generate("sentence"), takes_range = true, complete = complete },
  cancel = {
    run = cancel,
    complete = function(before)
      local tracks = vim.iter(state.current.jobs):map(function(job)
        return job.track_id
      end)
      return words.starting_with(before, words.short(tracks:totable()))
    end,
  },
}
