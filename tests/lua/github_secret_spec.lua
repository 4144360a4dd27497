-- Secrets in GitHub's form, and the refresh tokens that are made of a line, a generation and a MAC.
local github_secret = require "kit/github_secret"

local ID = ("0123456789abcdefghjkmnpqrs")

return {
	["a secret has its prefix and check digits, and a slip is seen"] = function()
		local text = github_secret.new("gho_")
		assert(#text == 40 and github_secret.prefix(text) == "gho_")
		local other = text:sub(20, 20) == "x" and "y" or "x"
		assert(github_secret.prefix(text:sub(1, 19) .. other .. text:sub(21)) == nil)
		for _, damaged in ipairs { "", "gho_", text .. "0", text:sub(1, -2), "x" .. text:sub(2), 7 } do
			assert(github_secret.prefix(damaged) == nil)
		end
	end,
	["what is made of a MAC is the same for the same, and has all letters"] = function()
		local one = github_secret.derived("ghu_", "a mac")
		assert(one == github_secret.derived("ghu_", "a mac") and one ~= github_secret.derived("ghu_", "another"))
		assert(github_secret.prefix(one) == "ghu_")
		local seen, count = {}, 0
		for letter in github_secret.letters("a mac", 4000):gmatch(".") do
			if not seen[letter] then seen[letter], count = true, count + 1 end
		end
		assert(count == 62)
	end,
	["a refresh token gives back its line and generation"] = function()
		for _, generation in ipairs { 0, 1, 61, 62, 3843, 3844, github_secret.LAST_GENERATION } do
			local text = github_secret.refresh(ID, generation, "mac")
			assert(#text == 80 and text:find("^ghr_%w+$"))
			local id, number = github_secret.refresh_parts(text)
			assert(id == ID and number == generation)
		end
		local text = github_secret.refresh(ID, 5, "mac")
		for _, damaged in ipairs { "", text:sub(1, -2), text .. "0", "gho_" .. text:sub(5), text:sub(1, 29) .. "_" .. text:sub(31), {}, 7 } do
			assert(github_secret.refresh_parts(damaged) == nil)
		end
	end,
}
