-- kit/github_secret.lua: secrets in GitHub's form, which programs that look for leaked ones know: a prefix, 30 letters and digits,
-- and six more that are the CRC-32 of those in base 62, so that a mistyped one is told without a look-up.
local github_secret = {}

local ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
local RANDOM, CHECK = 30, 6

local function digit(number)
	return ALPHABET:sub(number + 1, number + 1)
end

-- 62 is no power of two: bytes that would make some letters likelier are thrown away.
local function letters(count)
	local out = {}
	while #out < count do
		for byte in crypto.random(count):gmatch(".") do
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

local function check_of(text)
	local number, out = crc32(text), ""
	for _ = 1, CHECK do
		out, number = digit(number % 62) .. out, number // 62
	end
	return out
end

-- prefix: "gho_" and the like.
function github_secret.new(prefix)
	local text = letters(RANDOM)
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

return github_secret
