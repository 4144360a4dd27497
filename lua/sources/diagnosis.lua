-- sources/diagnosis.lua: what is wrong with a source, asked of its upstream itself (tidelock source check): name, TLS, discovery, keys,
-- the client's own proof, and both clocks. Nothing of what signing in remembers is read or changed.
local fetch = require "kit/fetch"
local remote_keys = require "auth/remote_keys"
local tokens = require "sources/tokens"
local upstream = require "sources/upstream"

local diagnosis = {}

local TIMEOUT, MOST_BYTES = 10, 1048576
-- Tokens are taken with five minutes' difference (sources/id_token); more than one is worth a word.
local CLOCK_WARNING, CLOCK_PROBLEM = 60, 300

local WORDS = {
	dns = "its name is not found: is it right, and does the name server answer?", connect = "nobody takes the connection",
	tls = "its certificate is not believed or TLS fails: ca_file names further authorities", timeout = "it does not answer in time",
	blocked = "its address is private, and only addresses on the internet are asked: outgoing.allow names others",
	closed = "it ends the connection before the answer is complete", too_large = "its answer is too large",
	protocol = "its answer is not HTTP as it should be", bad_url = "this is no address", busy = "we are asking too many at this moment",
}

local Report = {}
Report.__index = Report

-- state: "ok", "warning" or "problem".
function Report:say(what, state, text, ...)
	self[#self + 1] = { what = what, state = state, text = select("#", ...) > 0 and text:format(...) or text }
end

local function month_of(name)
	return (("JanFebMarAprMayJunJulAugSepOctNovDec"):find(name, 1, true) or 1) // 3 + 1
end

-- Days since 1970 of a date of today's calendar.
local function days(year, month, day)
	if month <= 2 then year, month = year - 1, month + 12 end
	return 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469
end

-- RFC 9110 5.6.7, as everybody sends it.
local function seconds_of(date)
	local day, month, year, hour, minute, second = (date or ""):match("^%a+, (%d%d) (%a%a%a) (%d%d%d%d) (%d%d):(%d%d):(%d%d) GMT$")
	if not day then return nil end
	return days(tonumber(year), month_of(month), tonumber(day)) * 86400 + tonumber(hour) * 3600 + tonumber(minute) * 60 + tonumber(second)
end

local function clock(report, answer)
	local there = seconds_of(answer.headers.date)
	if not there or report.clock then return end
	report.clock = true
	local off = time.now() - there
	local words = ("this machine's clock is %d seconds %s the upstream's"):format(math.abs(off), off > 0 and "ahead of" or "behind")
	if math.abs(off) > CLOCK_PROBLEM then report:say("clock", "problem", words .. ": tokens are refused")
	elseif math.abs(off) > CLOCK_WARNING then report:say("clock", "warning", words)
	else report:say("clock", "ok", "both clocks agree") end
end

-- The answer of an address, when there is one of this status; what else happens is said.
local function asked(report, source, what, request)
	local how = upstream.how(source)
	request.timeout, request.max, request.ca, request.allow = TIMEOUT, MOST_BYTES, how.ca, how.allow
	local answer, code, detail = fetch.request(request)
	if answer then
		clock(report, answer)
		return answer
	end
	report:say(what, "problem", "%s: %s%s", request.url, WORDS[code] or code, detail and detail ~= "" and (" (" .. detail .. ")") or "")
end

local function document_at(report, source, what, address)
	local answer = asked(report, source, what, { method = "GET", url = address, headers = { accept = "application/json" } })
	if not answer then return nil end
	if answer.status ~= 200 then return report:say(what, "problem", "%s answers with status %d", address, answer.status) end
	local document = json.decode(answer.body)
	if type(document) ~= "table" then return report:say(what, "problem", "%s answers something that is not JSON", address) end
	return document
end

local function discovery(report, source)
	local address = upstream.discovery_address(source)
	if not address then return upstream.own(source) end
	local document = document_at(report, source, "discovery", address)
	if not document then return upstream.own(source) end
	local fine, why = upstream.believed(source, document)
	if not fine then
		report:say("discovery", "problem", "the document at %s %s", address, why)
		return upstream.own(source)
	end
	report:say("discovery", "ok", "the issuer is %s", document.issuer)
	return upstream.over(source, document)
end

local function keys(report, source, up)
	if source.adapter ~= "oidc" then return end
	local address = up.jwks_uri
	if not address then return report:say("keys", "problem", "there is no address for keys: no ID token can be believed") end
	local document = document_at(report, source, "keys", address)
	if not document then return end
	local list, why = remote_keys.import(document)
	if not list then return report:say("keys", "problem", "the key set at %s %s", address, why) end
	report:say("keys", "ok", "%d of %d keys can be used", #list, #document.keys)
end

local VERDICTS = {
	invalid_grant = { "ok", "it knows the client" },
	invalid_client = { "problem", "it does not know the client: is client_id or client_secret wrong, or how the secret is sent?" },
	unauthorized_client = { "problem", "the client may not sign people in there" },
	-- GitHub's words.
	incorrect_client_credentials = { "problem", "it does not know the client: is client_id or client_secret wrong?" },
	bad_verification_code = { "ok", "it knows the client" },
}

-- A code that nobody gave out: who knows the client says that the code is wrong, who does not says so first.
local function client(report, source, up)
	local address = up.token_endpoint
	if not address then return report:say("client", "problem", "there is no address for tokens") end
	local headers = { accept = "application/json", ["content-type"] = "application/x-www-form-urlencoded" }
	local fields = { { "grant_type", "authorization_code" }, { "code", "tidelock-source-check" },
		{ "redirect_uri", upstream.callback_url(source) } }
	tokens.authenticate(source, up, fields, headers)
	local answer = asked(report, source, "client", { method = "POST", url = address, headers = headers, body = url.form_encode(fields) })
	if not answer then return end
	local said = json.decode(answer.body)
	local word = type(said) == "table" and type(said.error) == "string" and tokens.word(said.error)
	local verdict = VERDICTS[word or ""]
	if verdict then return report:say("client", verdict[1], "%s", verdict[2]) end
	word = word or ("with status " .. answer.status)
	report:say("client", "warning", "%s answered %s, which tells nothing of the client", address, word)
end

-- What was found, in order: a list of { what, state = "ok" | "warning" | "problem", text }. Waits for all that it asks.
function diagnosis.run(source)
	local report = setmetatable({}, Report)
	if source.adapter == "basic" then
		report:say("kind", "warning", "a source for testing believes everybody; there is nothing to ask")
		return report
	end
	local up = discovery(report, source)
	if not up.authorization_endpoint then report:say("sign-in page", "problem", "there is no address to send people to") end
	keys(report, source, up)
	client(report, source, up)
	return report
end

return diagnosis
