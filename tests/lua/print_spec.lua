-- What commands print on somebody's terminal.
local print_ = require "command/print"

return {
	["what a terminal would obey becomes a question mark"] = function()
		assert(print_.plain "a\27[31m\xc2\x9b31m\xe2\x80\xaeb\xe2\x81\xa6\xe2\x80\xa8c\0" == "a?[31m?31m?b??c?")
		assert(print_.plain "Zoë 🦊 … £" == "Zoë 🦊 … £")
	end,
}
