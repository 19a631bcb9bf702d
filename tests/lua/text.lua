-- Text that has to fit into columns, and times as players write them.
local config = require("lofi.config")
local message = require("lofi.message")
local rows = require("lofi.ui.rows")
local time = require("lofi.time")

local width = vim.fn.strdisplaywidth

return {
  what_fits_is_not_cut = function()
    assert(message.cut("rain", 4) == "rain")
    assert(message.cut("rains", 4) == "rai…")
    assert(message.cut("rain", 0) == "")
  end,

  wide_characters_count_twice = function()
    assert(message.cut("雨の夜", 4) == "雨…")
    assert(width(rows.fit("雨の夜", 4)) == 4)
    assert(rows.fit("é", 3) == "é  ")
  end,

  ascii_cuts_without_an_ellipsis = function()
    config.set({ ascii = true })
    assert(rows.fit("rainy night", 5) == "rain ")
  end,

  lines_are_broken_between_words = function()
    assert(vim.deep_equal(message.wrap("rainy night\nin  town", 11), { "rainy night", "in town" }))
    assert(vim.deep_equal(message.wrap("", 10), { "" }))
  end,

  a_word_longer_than_a_line_is_broken_and_nothing_is_lost = function()
    for _, word in ipairs({
      "/home/me/.cache/lofi.nvim/tracks/a7.flac",
      "雨の夜に窓を打つ音",
      ("x"):rep(10),
    }) do
      for columns = 2, 12 do
        local lines = message.wrap("at " .. word, columns)
        for _, line in ipairs(lines) do
          assert(width(line) <= columns, ("%q is wider than %d"):format(line, columns))
        end
        assert(table.concat(lines):gsub(" ", "") == "at" .. word)
      end
    end
  end,

  clocks_are_read_as_they_are_written = function()
    for seconds, text in pairs({ [0] = "0:00", [62] = "1:02", [3605] = "1:00:05", [36000] = "10:00:00" }) do
      assert(time.clock(seconds) == text)
      assert(time.parse(text) == seconds)
    end
    assert(time.clock(-1) == "0:00" and time.clock(59.9) == "0:59")
    assert(time.parse("90") == 90 and time.parse("1.5") == 1.5)
    for _, slip in ipairs({ "", "1:60", "1:2", "1:60:00", "-1", "a" }) do
      assert(time.parse(slip) == nil, slip)
    end
  end,
}
