-- github/numbers.lua: the number and the name of each person, organisation and team: allotted once, kept for ever (S11). What a mapping
-- asks for is a wish: a name is made fit and unique, and is there whenever the same is wished.
local err      = require "kit/err"
local events   = require "auth/events"
local reserved = require "kit/reserved"
local rows     = require "store/rows"
local store    = require "store/github"

local numbers = {}

local LONGEST = 39
-- After so many names with a number one is made of the key, which is nobody else's.
local NUMBERED, TRIES = 20, 25

-- Beside the words of our own routes, those of GitHub's: https://host/<login> is somebody's address there.
local words = {}
for word in ([[about account admin api applications apps avatars codespaces dashboard enterprises explore features gist gists graphql join
	logout marketplace members meta new notifications oauth organizations orgs pricing pulls raw root search security sessions settings
	setup site stars status stafftools teams topics trending user users]]):gmatch("%S+") do
	words[word] = true
end

-- A login of a wish, as GitHub Enterprise makes one of a name from a directory: what stands before @, single hyphens for the rest.
local function fit(wanted)
	local login = (wanted:match("^([^@]+)@") or wanted):gsub("[^%w]+", "-"):gsub("^%-+", "")
	login = login:sub(1, LONGEST):gsub("%-+$", "")
	return login ~= "" and login or "person"
end

-- holders: what is known of them already.
local function free(login, wish, holders)
	if words[login] or reserved[login] then return false end
	local holder = holders[login]
	if holder == nil then holder = store.holder(login) end
	return not holder or (holder.kind == wish.kind and holder.key == wish.key)
end

-- A wish's name at a try, of base, base-2, …, base-1f3a: as an address has it, and as it is shown. The base is made shorter where the
-- tail needs the place.
local function name_of(wish, try)
	local base, tail = wish.base or fit(wish.wanted), try > 1 and "-" .. try or ""
	if try > NUMBERED then tail = "-" .. hex.encode(crypto.sha256(wish.kind .. " " .. wish.key)):sub(1, 3 + try - NUMBERED) end
	local shown = base:sub(1, (wish.base and 100 or LONGEST) - #tail) .. tail
	return (wish.below or "") .. shown:lower(), shown
end

-- The first that nobody has or had; `taken` is what this batch gives away already.
local function unique(wish, taken, holders)
	for try = 1, TRIES do
		local login, shown = name_of(wish, try)
		if not taken[login] and free(login, wish, holders) then
			taken[login] = true
			return login, shown
		end
	end
	err.raise("temporarily_unavailable", nil, { cause = "no name is free for " .. wish.kind .. " " .. wish.wanted })
end

local function pinned(space, wish)
	local other = store.of_number(space, wish.id)
	if other then
		local reason = ("the number %d of the %s %s is another's"):format(wish.id, wish.kind, wish.kind == "user" and "asked for" or wish.wanted)
		events.add { kind = "github_number_taken", reason = reason, merge = true, user = wish.kind == "user" and wish.key or nil }
		err.raise("temporarily_unavailable", nil, { cause = reason })
	end
	return store.pinned_statement(space, wish.id, wish.kind, wish.key)
end

local function extend(list, more) table.move(more, 1, #more, #list + 1, list) end

-- Who has the first names of those wishes that have none yet, in one look.
local function first_holders(wishes, known)
	local logins = {}
	for _, wish in ipairs(wishes) do
		local row = known[wish.kind][wish.key]
		if not (row and row.names[wish.wanted]) then logins[#logins + 1] = name_of(wish, 1) end
	end
	return store.holders(logins)
end

-- Several may wish for the same: the organisation that they are all in.
local function statements_of(space, wishes, known)
	local out, taken, done, holders = {}, {}, {}, first_holders(wishes, known)
	for _, wish in ipairs(wishes) do
		local row, key = known[wish.kind][wish.key], wish.kind .. " " .. wish.key
		if not row and not done[key] then
			extend(out, wish.id and { pinned(space, wish) } or store.number_statements(space, wish.kind, wish.key))
		end
		local name = key .. "\n" .. wish.wanted
		if not (row and row.names[wish.wanted]) and not done[name] then
			local login, shown = unique(wish, taken, holders)
			extend(out, store.name_statements { login = login, shown = shown, wanted = wish.wanted, kind = wish.kind, key = wish.key })
		end
		done[key], done[name] = true, true
	end
	return out
end

local function look(wishes)
	local keys, known, listed = {}, {}, {}
	for _, wish in ipairs(wishes) do
		keys[wish.kind] = keys[wish.kind] or {}
		if not listed[wish.kind .. " " .. wish.key] then table.insert(keys[wish.kind], wish.key) end
		listed[wish.kind .. " " .. wish.key] = true
	end
	for kind, list in pairs(keys) do known[kind] = store.known(kind, list) end
	for _, wish in ipairs(wishes) do
		local row = known[wish.kind][wish.key]
		if row then row.shown = row.names[wish.wanted] end
	end
	return known
end

-- What is there already, by kind and key; nothing is allotted. Beside what store/github says, `shown` is the name of the (last) wish.
numbers.look = look

-- wishes = { { kind, key, wanted, id = pinned number or nil, base = the name itself or nil (made of wanted), below = "" } }, all of one
-- space ("account" or "team"). Returns their rows (store/github) by kind and key; raises when a pinned number is another's.
function numbers.allot(space, wishes)
	for _ = 1, 3 do
		local known = look(wishes)
		local statements = statements_of(space, wishes, known)
		if #statements == 0 then return known end
		-- In a conflict somebody else allotted the same: look again.
		rows.batch(statements)
	end
	err.raise("temporarily_unavailable", nil, { cause = "numbers for GitHub's clients could not be allotted" })
end

return numbers
