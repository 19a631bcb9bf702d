--- Tracks and stages on their way: from the library into a studio, and from a studio into a fresh one.
local marks = require("lofi.studio.marks")
local names = require("lofi.studio.names")
local stages = require("lofi.studio.stages")
local studio = require("lofi.studio")
local words = require("lofi.command.words")

local M = {}

---@param text string
---@return string[]
local function lines_of(text)
  return vim.split(vim.trim(text), "\n", { plain = true })
end

--- The text of one stage with all that a track was made with, and its latent; or of a latent.
---@param id string
---@param use fun(lines: string[], stage: table)
local function ask(id, use)
  require("lofi").request(
    "pipeline_text",
    { [id:find("-", 1, true) and "latent_id" or "track_id"] = id },
    words.or_complain(function(reply)
      use(lines_of(reply.toml), reply.stages[1])
    end)
  )
end

---@param stage table
local function tell_latent(stage)
  if stage.init_latent_id and (stage.t_start or 0) >= 1 then
    words.say("its latent is set; lower t_start to resume from it.")
  end
end

--- One stage with all that made the track, in a fresh studio.
---@param id string
function M.restore(id)
  ask(id, function(lines, stage)
    studio.fresh(lines):show()
    tell_latent(stage)
  end)
end

--- The same as a further stage of the studio that was used last, or as the first of an untouched one.
---@param id string
function M.add(id)
  ask(id, function(lines, stage)
    local to = studio.last() or studio.fresh()
    if to:is_untouched() then
      vim.api.nvim_buf_set_lines(to.buffer, 0, -1, false, lines)
      to:show(0)
    else
      to:show(stages.insert(to.buffer, nil, lines))
    end
    tell_latent(stage)
  end)
end

--- Write fields into the stage of the cursor of the studio that was used last.
---@param fields string[][] name and value
---@param replaced string[] names that go
local function into_stage(fields, replaced)
  local to = studio.last() or studio.fresh()
  local all = stages.only(stages.of(to.buffer), "stage")
  local index = (to:stage() or all[#all] or {}).index
  if not index then
    words.say("the studio has no stage; <LocalLeader>a adds one.", words.WARN)
    return
  end
  local function stage()
    return stages.only(stages.of(to.buffer), "stage")[index + 1]
  end
  stages.unset(to.buffer, stage(), replaced)
  for _, field in ipairs(fields) do
    stages.set(to.buffer, stage(), field[1], field[2])
  end
  to:show(stage().fields[fields[1][1]].row)
end

--- The stage of the cursor works from the track: from its latent where it has one, which loses nothing.
---@param track lofi.Track
function M.source(track)
  local replaced = { "src_latent_id", "src_stage", "src_audio_id", "resume_sample_index" }
  if track.latent_id then
    local fields = { { "src_latent_id", ('"%s"'):format(track.latent_id) } }
    if (track.latent_index or 0) > 0 then
      table.insert(fields, { "resume_sample_index", tostring(track.latent_index) })
    end
    into_stage(fields, replaced)
  else
    into_stage({ { "src_audio_id", ('"%s"'):format(track.id) } }, replaced)
  end
end

--- The stage of the cursor follows the track.
---@param track lofi.Track
function M.reference(track)
  into_stage({ { "reference_audio_id", ('"%s"'):format(track.id) } }, {})
end

--- A stage goes on from a latent, or from a checkpoint, which takes no t_start.
---@param to lofi.studio.Studio
---@param index integer
---@param id string
---@param t_start? string
function M.take_up(to, index, id, t_start)
  local function stage()
    return stages.only(stages.of(to.buffer), "stage")[index + 1]
  end
  if not stage() then
    return
  end
  stages.set(to.buffer, stage(), "init_latent_id", ('"%s"'):format(id))
  if t_start then
    stages.set(to.buffer, stage(), "t_start", t_start)
  else
    stages.unset(to.buffer, stage(), { "t_start" })
  end
  local record = names.latent(id)
  if not record or record.batch_size == 1 then
    stages.unset(to.buffer, stage(), { "resume_sample_index" })
  end
end

--- What an earlier stage left, as fields of one that works from it.
---@param result lofi.studio.Result?
---@return string? line
local function left_by(result)
  if result and result.latent_id then
    return ('src_latent_id = "%s"'):format(result.latent_id)
  end
  return result and result.tracks[1] and ('src_audio_id = "%s"'):format(result.tracks[1].id)
end

--- The stage of the cursor in a studio of its own, with what all stages share; what it worked from is named by its id.
---@param from lofi.studio.Studio
function M.out(from)
  local lines = vim.api.nvim_buf_get_lines(from.buffer, 0, -1, false)
  local blocks, stage = stages.blocks(lines), from:stage()
  if not stage then
    words.say("the cursor is in no stage.")
    return
  end
  local text = {} ---@type string[]
  for _, block in ipairs(stages.only(blocks, "shared")) do
    vim.list_extend(text, vim.list_slice(lines, block.first + 1, block.last + 1))
    table.insert(text, "")
  end
  local source = stage.fields.src_stage
  local worked_from = stages.only(blocks, "stage")[(tonumber(stages.plain(source)) or -1) + 1]
  local results = marks.match(from, lines, blocks)
  for row = stage.first, stage.last do
    local line = lines[row + 1]
    if source and row == source.row then
      line = left_by(worked_from and results[worked_from.header])
        or ("# %s (not made yet, so it is left out)"):format(line)
    end
    table.insert(text, line)
  end
  local fresh = studio.fresh(text)
  fresh:show(stages.only(stages.of(fresh.buffer), "stage")[1].header)
end

return M
