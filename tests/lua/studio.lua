-- The text of a pipeline in the editor: where its stages stand, what can be completed, and a family as a tree.
local complete = require("lofi.studio.complete")
local config = require("lofi.config")
local names = require("lofi.studio.names")
local stages = require("lofi.studio.stages")
local tree = require("lofi.lineage.tree")

---@param text string
---@return string[]
local function lines(text)
  return vim.split(text, "\n", { plain = true })
end

---@param text string
---@return integer buffer
local function buffer(text)
  local made = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(made, 0, -1, false, lines(text))
  return made
end

---@param of integer
---@return string
local function text_of(of)
  return table.concat(vim.api.nvim_buf_get_lines(of, 0, -1, false), "\n")
end

local NIGHT = [=[
# a night
[shared]
prompt = "rain, # and '[[stages]]'" # wet

# the first
[[stages]]
lyrics = """
[verse]
[[stages]]
bpm = 300
"""
bpm = 80 # """

# the second
[[stages]]
src_stage = 0
lora = [{ path = "/x", scale = 1.0 }]

[ [stages] ]
]=]

local FIELDS = {
  { name = "stage_type", type = "text", purpose = "What.", backends = { "synth", "big" }, choices = {} },
  { name = "bpm", type = "integer", purpose = "Tempo.", backends = { "synth" }, minimum = 30, maximum = 300 },
  { name = "model", type = "text", purpose = "Variant.", backends = { "big" } },
  { name = "src_stage", type = "integer", purpose = "Source.", backends = { "big" }, names = "stage" },
  { name = "src_audio_id", type = "text", purpose = "Source.", backends = { "big" }, names = "track" },
  { name = "preview", type = "boolean", purpose = "Heard.", backends = { "synth", "big" } },
}
for _, field in ipairs(FIELDS) do
  field.choices = field.choices or {}
  field.choices_of = field.name == "model" and { big = { "turbo", "base" } } or {}
end
names.learn(FIELDS)
names.tracks = { { id = ("ab"):rep(32), prompt = "rain\n  again", duration_sec = 90 } }

--- The words that complete `line`, the last of `text`, and where they begin.
---@param text string
---@param line string
---@return string[] words, integer? at
local function words(text, line)
  local all = lines(text)
  table.insert(all, line)
  local at, items = complete.at(all, #all - 1, line)
  return vim.tbl_map(function(item)
    return item.word
  end, items), at
end

return {
  stages_are_found_and_lyrics_are_not_taken_for_them = function()
    local blocks = stages.blocks(lines(NIGHT))
    local found = vim.tbl_map(function(block)
      return { block.kind, block.index, block.first, block.header, block.last }
    end, blocks)
    assert(vim.deep_equal(found, {
      { "shared", nil, 0, 1, 2 },
      { "stage", 0, 4, 5, 11 },
      { "stage", 1, 13, 14, 18 },
    }))
    assert(vim.deep_equal(blocks[2].fields.lyrics, { row = 6, last = 10, written = '"""' }))
    assert(stages.plain(blocks[2].fields.bpm) == "80")
    assert(stages.plain(blocks[2].fields.lyrics) == nil)
    assert(stages.plain(blocks[1].fields.prompt) == "rain, # and '[[stages]]'")
    assert(stages.plain(blocks[3].fields.lora) == nil)
    assert(stages.at(blocks, 4) == blocks[2], "the comment above a header is the header's")
    assert(stages.at(blocks, 9) == blocks[2])
  end,

  a_value_is_written_where_it_stands_and_taken_out_whole = function()
    local made = buffer(NIGHT)
    stages.set(made, stages.of(made)[2], "lyrics", '"la"')
    stages.set(made, stages.of(made)[2], "seed", "7")
    assert(text_of(made):find('[[stages]]\nseed = 7\nlyrics = "la"\nbpm = 80 #', 1, true))
    local again = buffer(NIGHT)
    assert(stages.unset(again, stages.of(again)[2], { "bpm", "lyrics", "model" }) == 2)
    assert(text_of(again):find("# the first\n[[stages]]\n\n# the second", 1, true))
  end,

  neighbours_change_places_with_their_comments = function()
    local made = buffer('[[stages]]\na = 1\n\n# second\n[[stages]]\nb = """\n[x]"""\n\n[[stages]]')
    local blocks = stages.of(made)
    assert(stages.swap(made, blocks[1], blocks[2]) == 1)
    assert(text_of(made) == '# second\n[[stages]]\nb = """\n[x]"""\n\n[[stages]]\na = 1\n\n[[stages]]')
  end,

  a_stage_is_put_below_another_with_a_blank_line_between = function()
    local made = buffer("[[stages]]\na = 1\n\n[[stages]]")
    assert(stages.insert(made, stages.of(made)[1], { "[[stages]]", "b = 2" }) == 3)
    assert(text_of(made) == "[[stages]]\na = 1\n\n[[stages]]\nb = 2\n\n[[stages]]")
    assert(stages.insert(made, nil, { "[[stages]]" }) == 8)
  end,

  fields_of_the_stages_own_backend_are_offered_but_not_twice = function()
    local shared = '[shared]\nbackend = "big"\n\n[[stages]]\nmodel = "base"'
    assert(vim.deep_equal(words(shared, "  s"), { "stage_type = ", "src_stage = ", "src_audio_id = " }))
    assert(vim.deep_equal(words(shared, "m"), {}))
    local own = shared .. '\nbackend = "synth"'
    assert(vim.deep_equal({ words(own, "b") }, { { "bpm = " }, 0 }))
  end,

  values_are_completed_with_their_quotes = function()
    local text = '[[stages]]\nprompt = "x"\n[[stages]]\nbackend = "big"'
    assert(vim.deep_equal({ words(text, "model = ") }, { { '"turbo"', '"base"' }, 8 }))
    assert(vim.deep_equal({ words(text, "model = 'tu") }, { { "'turbo'" }, 8 }))
    assert(vim.deep_equal(words(text, "preview = "), { "true", "false" }))
    assert(vim.deep_equal(words(text, "src_stage = "), { "0" }), "only earlier ones")
    assert(vim.deep_equal(words(text, 'src_audio_id = "ab'), { '"abababababab"' }))
    assert(vim.deep_equal(words(text, "nothing = "), {}))
  end,

  nothing_is_offered_in_lyrics_and_comments_and_headers_are = function()
    assert(vim.deep_equal(words('[[stages]]\nlyrics = """', "b"), {}))
    assert(vim.deep_equal(words("[[stages]]", "# b"), {}))
    assert(vim.deep_equal({ words("", " [") }, { { "[[stages]]", "[shared]" }, 1 }))
    assert(vim.deep_equal(words("[shared]", "["), { "[[stages]]" }))
  end,

  a_family_is_a_tree_and_says_what_is_another = function()
    config.set({ ascii = true })
    local function node(id, parents, more)
      local base =
        { id = id, kind = "track", parent_ids = parents, prompt = "rain", seed = 5, backend = "big" }
      return vim.tbl_extend("force", base, more or {})
    end
    local rows, nodes = tree.draw({
      node("a", {}, { duration_sec = 90, favorite = true }),
      { id = "gone", kind = "gone", parent_ids = {} },
      node("b", { "a" }, { stage_type = "refine", latent_id = "x" }),
      node("c", { "b", "gone" }, { stage_type = "cover", prompt = "snow" }),
      node("d", { "a" }),
    }, "b", 60)
    local drawn = vim.tbl_map(function(row)
      local texts = vim.tbl_map(function(piece)
        return piece[1]
      end, row)
      return (table.concat(texts):gsub("%s+", " "))
    end, rows)
    assert(vim.deep_equal(drawn, {
      " * rain big 1:30 ",
      " |- + refine: seed 5 big ",
      " | `- cover: snow also from gone big ",
      " `- generate: seed 5 big ",
      " deleted gone",
    }))
    assert(rows[2][4][2] == "LofiPlaying", "whose family it is")
    assert(nodes[3].id == "c")
  end,
}
