-- Numbers and names for GitHub's clients (S11): in sequence, below 2^31, never given to somebody else.
local err     = require "kit/err"
local numbers = require "github/numbers"
local database = require "store/database"

local function wish(kind, key, wanted, id) return { kind = kind, key = key, wanted = wanted, id = id } end

local function one(kind, key, wanted, id)
	assert(database.migrate())
	return numbers.allot("account", { wish(kind, key, wanted, id) })[kind][key]
end

local function login(key, wanted) return one("user", key, wanted).shown end

return {
	["a number is allotted once and in sequence, to people and organisations from one"] = function()
		local first, second = one("user", "n1", "n-one"), one("organization", "n2", "n-two")
		assert(second.number == first.number + 1 and first.number > 0 and second.number < 2 ^ 31)
		assert(one("user", "n1", "n-one").number == first.number)
		local teams = numbers.allot("team", { { kind = "team", key = "n3", wanted = "web", base = "web", below = second.number .. "/" } })
		assert(teams.team.n3.shown == "web" and math.type(teams.team.n3.number) == "integer")
	end,
	["a pinned number is kept, and nobody gets one that is another's"] = function()
		assert(one("user", "p1", "pin-one", 4711).number == 4711)
		assert(one("user", "p1", "pin-one", 4712).number == 4711, "what was allotted stays")
		local ok, why = pcall(one, "user", "p2", "pin-two", 4711)
		assert(not ok and err.is(why) and why.oauth == "temporarily_unavailable")
		local next_one = one("user", "p3", "pin-three")
		assert(one("user", "p4", "pin-four", next_one.number + 1))
		assert(one("user", "p5", "pin-five").number == next_one.number + 2, "the sequence steps over pinned ones")
	end,
	["a login is what can stand in an address"] = function()
		assert(login("l1", "Jane.Doe@example.org") == "Jane-Doe")
		assert(login("l2", "--a__b--") == "a-b")
		assert(login("l3", ("y"):rep(60)) == ("y"):rep(39))
		assert(login("l4", "Zoë") == "Zo")
		assert(login("l5", "日本") == "person")
	end,
	["a login is one person's or one organisation's, in any case of letters"] = function()
		assert(login("u1", "Same") == "Same")
		assert(login("u2", "sAME") == "sAME-2")
		assert(one("organization", "u3", "same").shown == "same-3")
		assert(login("u2", "sAME") == "sAME-2", "and stays")
		assert(#login("u4", ("x"):rep(60)) == 39)
	end,
	["words of our addresses are nobody's"] = function()
		assert(login("w1", "settings") == "settings-2")
		assert(login("w2", "API") == "API-2")
		assert(login("w3", "signin") == "signin-2")
	end,
	["a name of before is a tombstone that only its owner can have again"] = function()
		local number = one("user", "t1", "before").number
		assert(login("t1", "after") == "after")
		assert(login("t2", "before") == "before-2")
		assert(login("t1", "before") == "before")
		assert(one("user", "t1", "before").number == number)
		assert(login("t3", "after") == "after-2")
	end,
	["mappings that wish different names for one person do not rename him for each other"] = function()
		assert(login("d1", "by-username") == "by-username" and login("d1", "by-attribute") == "by-attribute")
		local before = numbers.look { wish("user", "d1", "by-username") }
		assert(before.user.d1.shown == "by-username" and before.user.d1.names["by-attribute"] == "by-attribute")
		assert(login("d1", "by-username") == "by-username" and login("d2", "by-attribute") == "by-attribute-2")
	end,
	["many wish for the same organisation in one go and are all in it"] = function()
		local list = {}
		for index = 1, 250 do
			list[#list + 1] = wish("user", "m" .. index, "many")
			list[#list + 1] = wish("organization", "mo", "the-many")
		end
		local made, seen = numbers.allot("account", list), {}
		for index = 1, 250 do
			local row = made.user["m" .. index]
			assert(row.number ~= made.organization.mo.number and not seen[row.shown] and row.shown:find("^many"), row.shown)
			seen[row.shown] = true
		end
		assert(made.organization.mo.shown == "the-many")
	end,
	["two in one go do not get the same name"] = function()
		local made = numbers.allot("account", { wish("user", "g1", "twin"), wish("organization", "g2", "twin") })
		assert(made.user.g1.shown == "twin" and made.organization.g2.shown == "twin-2")
		assert(made.user.g1.number ~= made.organization.g2.number)
	end,
	["a thousand teams are looked up again in one go"] = function()
		local wishes = {}
		for i = 1, 250 do wishes[i] = { kind = "team", key = "many " .. i, wanted = "many", base = "many-" .. i, below = "7/" } end
		local made = numbers.allot("team", wishes).team
		local again = numbers.allot("team", wishes).team
		for i = 1, 250 do assert(made["many " .. i].number == again["many " .. i].number) end
	end,
}
