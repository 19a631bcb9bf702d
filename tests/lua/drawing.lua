-- Bars and outlines: as wide as they are asked to be, whatever the numbers are.
local bar = require("lofi.ui.bar")
local config = require("lofi.config")
local wave = require("lofi.library.wave")

local width = vim.fn.strdisplaywidth

---@param row lofi.ui.Row
---@return string
local function text_of(row)
  return vim.iter(row):fold("", function(text, piece)
    return text .. piece[1]
  end)
end

return {
  a_bar_has_its_width_at_any_share = function()
    for _, ascii in ipairs({ false, true }) do
      config.set({ ascii = ascii })
      for _, share in ipairs({ -1, 0, 0.001, 0.5, 0.999, 1, 2, 0 / 0 }) do
        assert(width((bar.draw(share, 14))) == 14)
      end
    end
  end,

  a_bar_is_filled_from_nothing_to_all = function()
    assert(bar.draw(0, 4) == "░░░░")
    assert(bar.draw(0.5, 4) == "██░░")
    assert(bar.draw(0.53125, 4) == "██▏░")
    assert(bar.draw(1, 4) == "████")
  end,

  a_click_finds_the_share_that_is_drawn_there = function()
    for _, ascii in ipairs({ false, true }) do
      config.set({ ascii = ascii })
      for column = 1, 9 do
        local text = bar.draw(bar.share_at(column, 12), 12)
        local filled = text:gsub("[^#]", "")
        filled = ascii and #filled + 1 or vim.fn.strchars((text:gsub("░", "")))
        assert(filled == column, ("%s at %d"):format(text, column))
      end
    end
  end,

  an_outline_is_as_wide_as_its_columns_and_silence_is_empty = function()
    local silent = { peaks = { 0, 0, 0 }, levels = { 0, 0, 0 }, tones = { 0, 0, 0 } }
    local lines = wave.draw(silent)
    assert(#lines == wave.HEIGHT)
    for _, line in ipairs(lines) do
      assert(text_of(line) == (" "):rep(4))
    end
  end,

  an_outline_goes_from_the_darkest_colour_to_the_brightest = function()
    local ones = { 1, 1, 1, 1, 1, 1 }
    local top = wave.draw({ peaks = ones, levels = ones, tones = { 0, 0, 0, 1, 1, 1 } })[1]
    assert(text_of(top) == " ██████")
    assert(top[2][2] == "LofiWave1" and top[#top][2] == "LofiWave5")
  end,
}
