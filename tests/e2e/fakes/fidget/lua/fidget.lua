--- Stands in for fidget.nvim.
return { setup = function() end }
