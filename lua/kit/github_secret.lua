-- kit/github_secret.lua: secrets in GitHub's form, which programs that look for leaked ones know: a prefix, 30 letters and digits,
-- and six more that are the CRC-32 of those in base 62, so that a mistyped one is told without a look-up.
local github_secret = {}

local ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
local RANDOM, CHECK = 30, 6

local function digit(number)
	return ALPHABET:sub(number + 1, number + 1)
end

-- 62 is no power of two: bytes that would make some letters likelier are thrown away. bytes(): more of them.
local function letters(count, bytes)
	local out = {}
	while #out < count do
		for byte in bytes():gmatch(".") do
			local number = byte:byte() & 63
			if number < 62 and #out < count then
				out[#out + 1] = digit(number)
			end
		end
	end
	return table.concat(out)
end

-- CRC-32 as in ISO 3309, reflected.
local function crc32(text)
	local crc = 0xffffffff
	for byte in text:gmatch(".") do
		crc = crc ~ byte:byte()
		for _ = 1, 8 do
			crc = (crc >> 1) ~ (0xedb88320 & -(crc & 1))
		end
	end
	return crc ~ 0xffffffff
end

local function base62(number, places)
	local out = ""
	for _ = 1, places do
		out, number = digit(number % 62) .. out, number // 62
	end
	return out
end

local function check_of(text)
	return base62(crc32(text), CHECK)
end

-- prefix: "gho_" and the like.
function github_secret.new(prefix)
	local text = letters(RANDOM, function() return crypto.random(RANDOM) end)
	return prefix .. text .. check_of(text)
end

-- As many letters as are wanted of a MAC: the same for the same.
function github_secret.letters(mac, count)
	local turn = 0
	return letters(count, function()
		turn = turn + 1
		return crypto.sha256(mac .. turn)
	end)
end

-- The same form, but made of a MAC: whoever is to have it again gets it again.
function github_secret.derived(prefix, mac)
	local text = github_secret.letters(mac, RANDOM)
	return prefix .. text .. check_of(text)
end

-- The prefix of a text that can be such a secret, or nil.
function github_secret.prefix(text)
	if type(text) ~= "string" or #text ~= 4 + RANDOM + CHECK then
		return nil
	end
	local prefix, random, check = text:match("^(gh%l_)(%w+)(......)$")
	return prefix and check_of(random) == check and prefix or nil
end

-- ---- refresh tokens: a line's id, the generation in four digits, a MAC's letters, and the check ----

local ID, GENERATION, PROOF = 26, 4, 40
github_secret.LAST_GENERATION = 62 * 62 * 62 * 62 - 1

-- mac: what proves id and generation.
function github_secret.refresh(id, generation, mac)
	local text = id .. base62(generation, GENERATION) .. github_secret.letters(mac, PROOF)
	return "ghr_" .. text .. check_of(text)
end

-- id, generation of a text that can be such a token, or nil. Nothing is proven.
function github_secret.refresh_parts(text)
	if type(text) ~= "string" or #text ~= 4 + ID + GENERATION + PROOF + CHECK then
		return nil
	end
	local body, check = text:match("^ghr_(%w+)(......)$")
	if not body or check_of(body) ~= check then
		return nil
	end
	local generation = 0
	for letter in body:sub(ID + 1, ID + GENERATION):gmatch(".") do
		generation = generation * 62 + ALPHABET:find(letter, 1, true) - 1
	end
	return body:sub(1, ID), generation
end

return github_secret
