-- mapping/result.lua: what a script's result means, and how results come together. A table with named keys is claims; a
-- list, text, number or boolean is the claim named like the scope; an empty table is an empty list; nil adds nothing.
local result = {}

-- S21: what only the provider says. No script sets these. tlk is how our own verifiers tell kinds of tokens apart (S8).
local reserved = {}
for name in ([[iss aud azp client_id exp iat nbf jti nonce at_hash c_hash s_hash sid cnf act may_act scope events active
	tlk]]):gmatch("%S+") do
	reserved[name] = true
end
local function text(value) return type(value) == "string" and value ~= "" and #value <= 255 end

local function list_of_texts(value)
	if not result.is_list(value) then return false end
	for _, item in ipairs(value) do
		if not text(item) then return false end
	end
	return true
end

local function seconds(value) return math.type(value) == "integer" and value >= 0 end

-- S21: these a script may set where the application lists them in script_claims, in the shape that OpenID Connect Core 2 has them
-- in: clients refuse an ID token of another.
local grantable = { sub = text, acr = text, amr = list_of_texts, auth_time = seconds }

function result.is_list(value)
	if type(value) ~= "table" then return false end
	local count = 0
	for key in pairs(value) do
		if math.type(key) ~= "integer" or key < 1 then return false end
		count = count + 1
	end
	return count == #value
end

local function copy(value)
	if type(value) ~= "table" then return value end
	local out = {}
	for key, item in pairs(value) do out[key] = copy(item) end
	return out
end

-- Where in a value a text stands that JSON cannot carry: its path, or nil.
local function not_text(value, path)
	if type(value) == "string" then return not utf8.len(value) and path or nil end
	if type(value) ~= "table" then return nil end
	for key, item in pairs(value) do
		if type(key) == "string" and not utf8.len(key) then return path .. "'s names" end
		local found = not_text(item, path .. "." .. tostring(key))
		if found then return found end
	end
end

-- The claims that one mapping of `scope` adds, or nil and why the result means nothing.
function result.claims(scope, value)
	if value == nil then return {} end
	local bad = not_text(value, "result")
	if bad then return nil, bad .. " is not UTF-8 text" end
	if type(value) ~= "table" or result.is_list(value) then return { [scope] = copy(value) } end
	for key in pairs(value) do
		if type(key) ~= "string" then
			return nil, "returned a table with both named keys and numbers"
		end
	end
	return copy(value)
end

local function same(a, b)
	if a == b then return math.type(a) == math.type(b) or type(a) ~= "number" end
	if type(a) ~= "table" or type(b) ~= "table" then return false end
	for key, item in pairs(a) do
		if not same(item, b[key]) then return false end
	end
	for key in pairs(b) do
		if a[key] == nil then return false end
	end
	return true
end

local function contains(list, value)
	for _, item in ipairs(list) do
		if same(item, value) then return true end
	end
	return false
end

-- Unites two lists; the first keeps its order, nothing stands twice. Texts, the usual items, are found by their name.
local function unite(first, second)
	local out, texts = {}, {}
	for _, list in ipairs { first, second } do
		for _, item in ipairs(list) do
			local known
			if type(item) == "string" then
				known = texts[item]
				texts[item] = true
			else
				known = contains(out, item)
			end
			if not known then out[#out + 1] = item end
		end
	end
	return out
end

-- Adds `more` to `into`: tables recursively, lists united, else the later one wins.
function result.merge(into, more)
	for key, value in pairs(more) do
		local old = into[key]
		if type(old) ~= "table" or type(value) ~= "table" then
			into[key] = value
		elseif result.is_list(old) and result.is_list(value) then
			into[key] = unite(old, value)
		elseif result.is_list(old) or result.is_list(value) then
			into[key] = value
		else
			result.merge(old, value)
		end
	end
	return into
end

-- Takes out of claims what a script may not say (S21); returns the sorted names that were dropped.
function result.drop_reserved(claims, script_claims)
	local allowed, dropped = {}, {}
	for _, name in ipairs(script_claims or {}) do allowed[name] = true end
	for name, value in pairs(claims) do
		local fits = grantable[name]
		if reserved[name] or (fits and not (allowed[name] and fits(value))) then dropped[#dropped + 1] = name end
	end
	for _, name in ipairs(dropped) do claims[name] = nil end
	table.sort(dropped)
	return dropped
end

return result
