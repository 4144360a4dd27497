-- sources/entra.lua: what is Entra ID's own: issuers that are templates with a tenant in them, keys that may sign for some of the
-- tenants only, tokens of two versions, and who a person is (facts: Microsoft identity platform, access and ID token validation).
local api = require "sources/api"

local entra = {}

local GUID = "^" .. ("%x"):rep(8) .. ("%-" .. ("%x"):rep(4)):rep(3) .. "%-" .. ("%x"):rep(12) .. "$"
local TEMPLATE = "{tenantid}"

local function filled(template, tenant)
	local first, last = template:find(TEMPLATE, 1, true)
	return first and template:sub(1, first - 1) .. tenant .. template:sub(last + 1) or template
end

local function admitted(source, tenant)
	for _, each in ipairs(source.tenants or {}) do
		if each:lower() == tenant then return true end
	end
	return false
end

-- The issuer that a token with these claims must have: by its version, its own tenant put into the template, the tenant one of those
-- that the owner admits. Or nil, what is wrong, and "denied" when that is the tenant.
function entra.issuer(source, claims)
	local tenant = claims.tid
	if type(tenant) ~= "string" or not tenant:find(GUID) then return nil, "the token names no tenant (tid)" end
	if not admitted(source, tenant:lower()) then return nil, ("the tenant %s is not one of the source's"):format(tenant:lower()), "denied" end
	local template = claims.ver == "1.0" and source.extra.issuer_v1 or source.issuer
	return filled(template, tenant)
end

-- May this key sign for `issuer`? Each key of the tenant-independent sets has an issuer of its own: a consumers' key must not sign for
-- a company.
function entra.may_sign(entry, claims, issuer)
	if entry.issuer == nil then return true end
	return type(entry.issuer) == "string" and filled(entry.issuer, claims.tid) == issuer
end

-- `sub` is another for each application; oid says who it is within the tenant, both together who it is (Microsoft's own "home account
-- id"): no tenant's person can be another's.
function entra.subject(claims)
	local oid, tenant = claims.oid, claims.tid
	if type(oid) ~= "string" or not oid:find(GUID) then return nil, "the token has no oid: the scope profile is needed" end
	if type(tenant) ~= "string" or not tenant:find(GUID) then return nil, "the token names no tenant (tid)" end
	return oid:lower() .. "." .. tenant:lower()
end

-- ---- Microsoft Graph ----

-- The profile; it must be the same person's. nil, kind of problem, why. Waits.
function entra.profile(source, up, token, claims)
	local info, kind, why = api.get(source, up.userinfo_endpoint, token)
	if not info then return nil, kind, why end
	if type(info.id) ~= "string" or info.id:lower() ~= tostring(claims.oid):lower() then
		return nil, "unbelieved", "the profile at Graph is another person's than the ID token's"
	end
	return info
end

local GROUP = "#microsoft.graph.group"

-- Mixed with roles and units, which are left out. Names are empty where the permission to read them is missing.
local function pages_of(source, token)
	local address = source.extra.graph .. "/v1.0/me/memberOf?$select=id,displayName&$top=999"
	return api.pages(source, address, token, nil, function(answer) return answer.value, answer["@odata.nextLink"] end)
end

-- The groups, or nil and why they could not be read. Waits.
function entra.groups(source, _, token)
	local list, _, why = pages_of(source, token)
	if not list then return nil, why end
	local out = {}
	for _, each in ipairs(list) do
		if type(each) == "table" and each["@odata.type"] == GROUP and type(each.id) == "string" then
			out[#out + 1] = { id = each.id, name = type(each.displayName) == "string" and each.displayName or nil }
		end
	end
	return out
end

-- E4: of more than about two hundred groups a token says only that there are more.
function entra.withholds_groups(claims)
	local elsewhere = claims._claim_names
	return type(elsewhere) == "table" and elsewhere.groups ~= nil or claims.hasgroups == true or claims.hasgroups == "true"
end

return entra
