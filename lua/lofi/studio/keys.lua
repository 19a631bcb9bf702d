--- The keys of the studio. Letters are for writing: what is done with a stage begins with <LocalLeader>.
local complete = require("lofi.studio.complete")
local marks = require("lofi.studio.marks")
local names = require("lofi.studio.names")
local run = require("lofi.studio.run")
local send = require("lofi.studio.send")
local stages = require("lofi.studio.stages")
local time = require("lofi.time")
local words = require("lofi.command.words")

--- The stage of the cursor and what has come of it; said where there is none.
---@param studio lofi.studio.Studio
---@return lofi.studio.Block?, lofi.studio.Result?
local function here(studio)
  local block = studio:stage()
  if not block then
    words.say("the cursor is in no stage.")
    return nil
  end
  local lines = vim.api.nvim_buf_get_lines(studio.buffer, 0, -1, false)
  return block, marks.match(studio, lines, stages.blocks(lines))[block.header]
end

---@param studio lofi.studio.Studio
local function play(studio)
  local block, result = here(studio)
  local tracks = result and result.tracks or {}
  local function start(track)
    require("lofi.library.deeds").play(track.id, track.prompt)
  end
  if not block then
    return
  elseif #tracks == 0 then
    words.say(
      result and "nothing of this stage is to be heard; preview = true has it made audible."
        or "this stage has not been made yet; :w makes it."
    )
  elseif #tracks == 1 then
    start(tracks[1])
  else
    vim.ui.select(tracks, {
      prompt = "Play which?",
      kind = "lofi_track",
      format_item = function(track)
        return ("%s  %s"):format(track.id:sub(1, 12), time.clock(track.duration_sec))
      end,
    }, function(track)
      if track then
        start(track)
      end
    end)
  end
end

--- Numbers of stages as they are after a change.
---@param studio lofi.studio.Studio
---@param renumbered fun(index: integer): integer
local function renumber(studio, renumbered)
  for _, block in ipairs(stages.of(studio.buffer)) do
    local index = tonumber(stages.plain(block.fields.src_stage))
    if index and renumbered(index) ~= index then
      stages.set(studio.buffer, block, "src_stage", tostring(renumbered(index)))
    end
  end
end

--- How a stage of that backend can go on from another one's: the first of these that it knows.
local GOES_ON = { "refine", "continue" }

---@param studio lofi.studio.Studio
local function add(studio)
  local blocks, block = stages.of(studio.buffer), studio:stage()
  local index = block and block.index
  local field = names.field("stage_type")
  local types = field and field.choices_of[complete.backend(blocks, block) or ""] or {}
  local kind = index
    and vim.iter(GOES_ON):find(function(kind)
      return vim.list_contains(types, kind)
    end)
  if index then
    renumber(studio, function(number)
      return number > index and number + 1 or number
    end)
  end
  local lines = { "[[stages]]", 'prompt = ""' }
  if kind then
    lines = { "[[stages]]", ('stage_type = "%s"'):format(kind), "src_stage = " .. index }
  end
  studio:show(stages.insert(studio.buffer, block, lines))
end

---@param step 1|-1
---@return fun(studio: lofi.studio.Studio)
local function move(step)
  return function(studio)
    local block = here(studio)
    if not block then
      return
    end
    local all = stages.only(stages.of(studio.buffer), "stage")
    local one, other = block.index, block.index + step
    if not all[other + 1] then
      words.say(step < 0 and "it is the first stage." or "it is the last stage.")
      return
    end
    local upper, lower = all[math.min(one, other) + 1], all[math.max(one, other) + 1]
    if tonumber(stages.plain(lower.fields.src_stage)) == upper.index then
      local text = "stage %d works from stage %d, which has to come before it."
      words.say(text:format(lower.index, upper.index), words.WARN)
      return
    end
    local row = stages.swap(studio.buffer, upper, lower)
    renumber(studio, function(number)
      return number == one and other or number == other and one or number
    end)
    local moved = stages.only(stages.of(studio.buffer), "stage")[other + 1]
    studio:show(moved and moved.header or row)
  end
end

local LATENT_FIELDS = { "init_latent_id", "t_start", "resume_sample_index", "src_latent_id" }

---@param studio lofi.studio.Studio
local function resume(studio)
  local block, result = here(studio)
  local latent = result and result.latent_id or block and stages.plain(block.fields.init_latent_id)
  if not block then
    return
  elseif not latent then
    words.say("this stage has left no latent: ACE-Step keeps them, once it has been made.", words.WARN)
    return
  end
  local asked = { prompt = "Denoise, 0 (as it is) to 1 (from noise): ", default = "0.5" }
  vim.ui.input(asked, function(text)
    local value = tonumber(text)
    if not text then
      return
    elseif not value or value < 0 or value > 1 then
      words.say(("denoise is a number from 0 to 1, not %s."):format(text), words.ERROR)
      return
    end
    send.take_up(studio, block.index, latent, ("%.15g"):format(value))
  end)
end

---@param studio lofi.studio.Studio
local function go_on(studio)
  local block, result = here(studio)
  if not block then
    return
  elseif not (result and result.checkpoint_id) then
    words.say(
      "this stage has left no checkpoint; checkpoint_step = N keeps the state after step N.",
      words.WARN
    )
    return
  end
  send.take_up(studio, block.index, result.checkpoint_id)
end

---@param studio lofi.studio.Studio
local function clear(studio)
  local block = here(studio)
  if block and stages.unset(studio.buffer, block, LATENT_FIELDS) == 0 then
    words.say("this stage names no latent.")
  end
end

---@param step 1|-1
---@return fun(studio: lofi.studio.Studio)
local function go(step)
  return function(studio)
    local row, to = studio:row(), nil
    for _, block in ipairs(stages.only(stages.of(studio.buffer), "stage")) do
      if step > 0 and block.header > row then
        to = to or block.header
      elseif step < 0 and block.header < row then
        to = block.header
      end
    end
    if to then
      studio:show(to)
    end
  end
end

---@param studio lofi.studio.Studio
local function lineage(studio)
  local block, result = here(studio)
  local track = result and result.tracks[1]
  local id = track and track.id or result and result.latent_id
  if id then
    require("lofi.lineage").open(id)
  elseif block then
    words.say("nothing of this stage is in the library yet.")
  end
end

---@param studio lofi.studio.Studio
---@return lofi.ui.Key[]
return function(studio)
  local function with(act)
    return function()
      act(studio)
    end
  end
  local function leader(key, does, act)
    return { "<LocalLeader>" .. key, does, with(act) }
  end
  return {
    { "<CR>", "play what the stage made", with(play) },
    { "]]", "next stage", with(go(1)) },
    { "[[", "stage before", with(go(-1)) },
    leader("a", "add a stage below, which goes on from this one", add),
    leader("j", "move the stage down", move(1)),
    leader("k", "move the stage up", move(-1)),
    leader("r", "resume from its latent; asks how far back into the noise", resume),
    leader("c", "go on from its checkpoint", go_on),
    leader("d", "clear its latent", clear),
    leader("f", "run from this stage on; what those before it left is used", function()
      local block = here(studio)
      if block then
        run.start(studio, block.index)
        if vim.bo[studio.buffer].buftype ~= "" then
          vim.bo[studio.buffer].modified = false
        end
      end
    end),
    leader("o", "send it out to a fresh buffer; this one stays as it is", send.out),
    leader("l", "lineage of what it made", lineage),
    leader("x", "cancel the run", run.cancel),
  }
end
