-- sources/finish.lua: the end of a sign-in through a source: who it is here (auth/arrivals), one batch that makes the session or the
-- link and uses the state up, and the way on to what the person came for.
local arrivals = require "auth/arrivals"
local events = require "auth/events"
local kept = require "sources/kept"
local problem = require "sources/problem"
local proof = require "sources/proof"
local reply = require "kit/reply"
local request = require "auth/request"
local rows = require "store/rows"
local session = require "auth/session"
local state = require "sources/state"
local transaction = require "auth/transaction"

local finish = {}

-- RFC 8176: how the upstream says that the person signed in; what is no such list is left out.
local function methods_of(claims)
	local out = {}
	for _, word in ipairs(claims and type(claims.amr) == "table" and claims.amr or {}) do
		if type(word) == "string" and word:find("^[%w_%-%.]+$") and #word <= 40 and #out < 10 then out[#out + 1] = word end
	end
	return out
end

-- On to what the person came for; nothing but a page of ours is reached by a redirect that is not the client's answer.
local function onward(req, answer, opened, current)
	if not opened then return answer end
	transaction.rebind(opened, req)
	transaction.choose(opened, current)
	answer.headers.location = opened.back or request.url(opened)
	return answer
end

local function sign_in(req, context, t, arrived, user, statements)
	local source, claims = context.source, arrived.claims or {}
	local answer = reply.redirect("/")
	local before = table.move(statements, 1, #statements, 2, { state.use_statement(t) })
	local current, index = session.sign_in(req, answer, user, {
		method = "source", amr = methods_of(claims), before = before,
		source = { name = source.name, subject = claims.sub, proven_at = proof.proven_at(source, claims),
			sid = type(claims.sid) == "string" and #claims.sid <= 255 and claims.sid or nil },
	})
	if not current then return nil, index end
	return onward(req, answer, t.request, current)
end

local function connect(req, context, t, _, user, statements)
	local before = table.move(statements, 1, #statements, 2, { state.use_statement(t) })
	before[#before + 1] = events.statement { kind = "account_connected", user = user, req = req, reason = "source " .. context.source.name }
	task.detach()
	local done, _, index = rows.batch(before)
	if not done then return nil, index end
	return reply.redirect("/?done=connected")
end

-- The session that began to connect an account, and nobody else's.
local function linking(req, context, t)
	if not t.link then return nil end
	local current = session.current(req)
	if not current or current.id ~= t.link.session or current.user_id ~= t.link.user then
		problem.raise(context, "state", "the session that began to connect the account has ended")
	end
	return current
end

function finish.arrived(req, context, t, arrived)
	local current = linking(req, context, t)
	if arrived.groups_problem then
		events.add { kind = "source_groups_failed", req = req, merge = true,
			reason = ("source %s: %s"):format(context.source.name, arrived.groups_problem) }
	end
	local make = current and connect or sign_in
	-- A batch fails when somebody was quicker; the second time it is seen who.
	for _ = 1, 2 do
		local user, statements = arrivals.land(context.source, arrived, req, current and current.user)
		if not user then problem.page(context, "denied", statements.reason, { text = statements.message }) end
		local keeping = kept.statements(context.source, user, arrived)
		table.move(keeping, 1, #keeping, #statements + 1, statements)
		local answer, index = make(req, context, t, arrived, user, statements)
		if answer then return answer end
		-- The state is the first of the batch.
		if index == 1 then problem.raise(context, "used", "the answer has been used before") end
	end
	problem.raise(context, "unavailable", "something changed at the same time")
end

-- The upstream did not prove that the person signed in there just now (S28): a password of ours can, else the client is told.
function finish.unproven(req, context, t)
	local opened, application = t.request, context.application
	events.add { kind = "sign_in_failed", req = req, application = application,
		reason = ("source %s: it did not prove a sign-in as recent as the application wants"):format(context.source.name) }
	if application and #(application.sources or {}) > 0 then
		opened.denied, opened.failure = "The person could not be made to sign in anew.", "login_required"
		return reply.redirect(request.url(opened))
	end
	opened.page, opened.unproven = "sign_in", context.source.name
	return reply.redirect("/signin?request=" .. url.encode(request.seal(opened)))
end

return finish
