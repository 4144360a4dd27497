-- sources/kept.lua: tokens of an upstream that are kept for scripts (keep_tokens): taken at each sign-in, refreshed when one is asked
-- for that has ended (RFC 6749 6, OpenID Connect Core 12), given to those scripts alone whose declaration says so (S24).
local events = require "auth/events"
local id_token = require "sources/id_token"
local scope = require "kit/scope"
local sources = require "auth/sources"
local store = require "store/kept_tokens"
local tokens = require "sources/tokens"
local upstream = require "sources/upstream"

local kept = {}

-- Renewed a little before it ends.
local EARLY = 60
local PATIENCE = 4

local function expires_at(token) return token.expires_in and time.now() + token.expires_in end

-- What the batch of a sign-in needs besides, a list.
function kept.statements(source, user, arrived)
	local token, claims = arrived.token, arrived.claims or {}
	if not source.keep_tokens or not token.access_token then return {} end
	return { store.keep_statement(user.id, source.name, {
		access_token = token.access_token, refresh_token = token.refresh_token, scope = token.scope, sub = claims.sub, iss = claims.iss,
	}, expires_at(token)) }
end

-- ---- refreshing ----

-- Core 12.2: an ID token that comes along is of the same person and issuer, or none of it counts.
local function same_person(source, up, old, new)
	if not new.id_token then return true end
	local claims, why = id_token.verify(source, up, new.id_token, { access_token = new.access_token })
	if not claims then return nil, why end
	if claims.sub ~= old.sub then return nil, "it is another person's (sub)" end
	if claims.iss ~= old.iss then return nil, "it is another issuer's (iss)" end
	return true
end

local function fetched(source, old)
	local up, why = upstream.of(source)
	if not up then return nil, "unreachable", why end
	local new, kind, reason = tokens.request(source, up, { { "grant_type", "refresh_token" }, { "refresh_token", old.refresh_token } })
	if not new then return nil, kind, reason end
	local same, other = same_person(source, up, old, new)
	if not same then return nil, "unbelieved", "the ID token: " .. other end
	return new
end

local function refresh(user, source, row)
	local old = row.token
	local new, kind, why = fetched(source, old)
	if new then
		store.renew(user.id, source.name, row, {
			access_token = new.access_token, refresh_token = new.refresh_token or old.refresh_token, scope = new.scope or old.scope,
			sub = old.sub, iss = old.iss,
		}, expires_at(new))
		return
	end
	events.add { kind = "source_token_failed", user = user, merge = true, reason = ("source %s: %s"):format(source.name, why) }
	-- What the upstream takes back, or what is not this person's, is good for nothing any more.
	if kind == "refused" or kind == "unbelieved" then store.forget(user.id, source.name, row) end
end

-- One refresh at a time of a person's token, in a task of its own: a rotated token is lost with nobody who stops asking.
local flying = {}

local function renewed(user, source, row)
	local key, patience = user.id .. " " .. source.name, time.mono() + PATIENCE
	if not flying[key] then
		flying[key] = true
		local started = task.spawn(function()
			local _ <close> = setmetatable({}, { __close = function() flying[key] = nil end })
			refresh(user, source, row)
		end)
		if not started then flying[key] = nil end
	end
	while flying[key] and time.mono() < patience do task.sleep(0.01) end
	return store.find(user.id, source.name)
end

local function ended(row) return row.expires_at and row.expires_at <= time.now() + EARLY end

-- The access token of a person at a source, or nil when there is none that still opens anything. Waits.
function kept.token(user, name)
	local source = sources.by_name(name)
	local row = source and source.keep_tokens and store.find(user.id, source.name)
	if row and ended(row) and row.token.refresh_token then row = renewed(user, source, row) end
	return row and not ended(row) and row.token.access_token or nil
end

-- What scripts call (mapping/script): of the person that it is about alone.
kept.helpers = {}

function kept.helpers.source_token(about, entry, name)
	if not (entry.may and scope.has(entry.may.source_tokens or {}, name)) then
		return false, ('the declaration of %s does not say may = { source_tokens = { "%s" } }'):format(entry.name, tostring(name))
	end
	if not about.person then return false, "only for the user that this is about" end
	return true, kept.token(about.person, name)
end

return kept
