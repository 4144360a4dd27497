-- auth/application_sources.lua: the sources that an application makes by Akkess's API: read from its documents, and put in the place of
-- those that it had. They share a pool with each other only (S26), and stand beside those of the file, which nothing here touches.
local akkess = require "config/akkess"
local conf = require "kit/conf"
local config_sources = require "config/sources"
local events = require "auth/events"
local nearest = require "config/nearest"
local rows = require "store/rows"
local slug = require "kit/slug"
local sources = require "auth/sources"
local store = require "store/sources"
local types = require "config/types"

local application_sources = {}

local MOST = 100

-- What is wrong; caught in read().
local function wrong(index, field, text)
	local place = ("[%d]%s"):format(index - 1, field ~= "" and "." .. field or "")
	error({ field = place, message = ("%s: %s"):format(place, text) }, 0)
end

-- The settings as the configuration would have them: the same checks, the same defaults.
local function completed(index, settings, label)
	local more = settings.more
	settings.more = nil
	local function report(name, message) wrong(index, akkess.NAMES[name] or tostring(name), message) end
	local out = types.check(config_sources.schema, settings, report, nearest)
	out.label, out.more = label, more
	config_sources.complete(out, report)
	if out.adapter == "basic" and not conf.settings().allow_test_sources then
		wrong(index, "adapter", "IAM_BASIC_IDP believes everybody and is for testing: the configuration says no allow_test_sources = true")
	end
	return out
end

-- Those without a key get one of their name; given back without it, the same again.
local function key_for(settings, key, taken)
	if key then return key end
	local base = slug.of(settings.name or settings.kind)
	base = base ~= "" and base or settings.kind
	local made, number = base, 2
	while taken[made] do made, number = base .. "-" .. number, number + 1 end
	return made
end

local function read(application, list)
	local out, taken = {}, {}
	for _, object in ipairs(list) do
		if type(object) == "table" and type(object.key) == "string" then taken[object.key] = true end
	end
	local seen = {}
	for index, object in ipairs(list) do
		local settings, key, field = akkess.settings(object)
		if not settings then wrong(index, field, key) end
		key = key_for(settings, key, taken)
		if #key > 100 or key:find("[^\x21-\x7e]") then wrong(index, "key", "a key has at most 100 characters, and no spaces") end
		if seen[key] then wrong(index, "key", "this key came twice") end
		taken[key], seen[key] = true, true
		local pool = ("application:%s:%s"):format(application.id, settings.more.pool_key or key)
		local one = { key = key, pool = pool, drop_secret = settings.more.no_secret }
		settings.more.no_secret = nil
		settings.more.akkess.key = key
		one.data = completed(index, settings, key)
		one.secret, one.data.client_secret, one.data.label = one.data.client_secret, nil, nil
		out[index] = one
	end
	return out
end

-- A list of documents, decoded → what replace() takes; or nil, what is wrong, and the field.
function application_sources.read(application, list)
	if type(list) ~= "table" or not json.is_array(list) then return nil, "the body must be a JSON array", "" end
	if #list > MOST then return nil, ("more than %d identity providers"):format(MOST), "" end
	local ok, out = pcall(read, application, list)
	if ok then return out end
	if type(out) == "table" and out.field then return nil, out.message, out.field end
	error(out, 0)
end

-- A name for its address: of the application and the key, and nobody else's.
local function free_name(application, key)
	local base = ("%s-%s"):format(application.slug, slug.of(key)):sub(1, 90)
	local name, number = base, 2
	while store.by_name(name) do name, number = base .. "-" .. number, number + 1 end
	return name
end

-- A secret is never given out, so what comes back without one keeps it: while it is for the same client of the same server.
local function secret_of(before, one)
	local old, new = before and before.data, one.data
	local same = old and old.client_id == new.client_id and old.token_url == new.token_url and old.issuer == new.issuer
	if one.secret or one.drop_secret or not same then return one.secret end
	return store.secret(before)
end

-- Puts `list` (of read) in the place of the application's own, whole. Returns true, or nil when somebody was quicker.
function application_sources.replace(application, list, how)
	local statements, before, names = {}, {}, {}
	local function add(more) table.move(more, 1, #more, #statements + 1, statements) end
	local rows_before = store.of_application(application.id)
	for _, row in ipairs(rows_before) do before[row.key] = row end
	statements[1] = store.unchanged_statement(application.id, #rows_before)
	for _, one in ipairs(list) do
		local row = before[one.key]
		before[one.key] = nil
		local fields = { key = one.key, pool = one.pool, application_id = application.id, data = one.data, secret = secret_of(row, one) }
		if row then
			add { store.update_statement(row.id, fields) }
			add(store.move_statements(row.name, one.pool))
		else
			fields.name = free_name(application, one.key)
			add { (store.insert_statement(fields)) }
		end
		names[#names + 1] = one.key
	end
	for _, row in pairs(before) do add(store.delete_statements(row)) end
	add { events.statement { kind = "sources_changed", application = application, user = how.user, req = how.req,
		reason = ("by API: %s"):format(#names > 0 and table.concat(names, ", ") or "none") } }
	local done = rows.batch(statements)
	sources.changed()
	return done and true or nil
end

-- What has to happen to them before their application is deleted.
function application_sources.end_statements(application_id)
	local out = {}
	for _, row in ipairs(store.of_application(application_id)) do
		local more = store.delete_statements(row)
		table.move(more, 1, #more, #out + 1, out)
	end
	return out
end

return application_sources
