-- auth/certificates.lua: the lab CA and the server certificate that it signs, made when the configuration names none (S36).
local conf = require "kit/conf"
local store = require "store/keys"

local certificates = {}

local DAY = 86400
local CA_LIFETIME, LIFETIME = 3650 * DAY, 397 * DAY
local RENEW_BEFORE = 30 * DAY

local function add(list, seen, name)
	if name and name ~= "" and not seen[name] then
		seen[name] = true
		list[#list + 1] = name
	end
end

-- The names the server answers for: public_url's host, declared hosts, and loopback where people try things.
function certificates.names()
	local list, seen = {}, {}
	for _, names in ipairs { conf.names(), { "localhost", "127.0.0.1", "::1" } } do
		for _, name in ipairs(names) do
			add(list, seen, name)
		end
	end
	return list
end

local function covers(row, names)
	local have = {}
	for _, name in ipairs(row.names) do
		have[name] = true
	end
	for _, name in ipairs(names) do
		if not have[name] then
			return false
		end
	end
	return true
end

-- A stored certificate that is still good for the names, with its key; or nil.
local function stored(name, names)
	local row = store.certificate(name)
	if row and covers(row, names) and row.not_after - time.now() > RENEW_BEFORE then
		local handle = key.open(row.sealed, "certificates " .. name)
		return handle and row.pem, handle
	end
end

local function save(name, pem, handle, names, not_after)
	store.save_certificate {
		name = name, pem = pem, sealed = key.seal(handle, "certificates " .. name), names = names, not_after = not_after,
	}
end

local function ca(names)
	local pem, handle = stored("lab-ca", names)
	if pem then
		return pem, handle, false
	end
	local now = time.now()
	handle = assert(key.generate("ES256"))
	pem = assert(key.make_ca {
		name = "Tidelock lab CA", key = handle, names = names, not_before = now - DAY, not_after = now + CA_LIFETIME,
	})
	save("lab-ca", pem, handle, names, now + CA_LIFETIME)
	return pem, handle, true
end

-- The list for the server: { { chain = PEM, key = handle, names = … } }; the CA's certificate lands in data/lab-ca.pem.
function certificates.ensure()
	local names = certificates.names()
	local ca_pem, ca_key, is_new = ca(names)
	sys.write_public("lab-ca.pem", ca_pem)
	local pem, handle
	if not is_new then
		pem, handle = stored("server", names)
	end
	if not pem then
		local now = time.now()
		handle = assert(key.generate("ES256"))
		pem = assert(key.make_cert {
			ca_pem = ca_pem, ca_key = ca_key, key = handle, names = names, not_before = now - DAY, not_after = now + LIFETIME,
			-- The first byte is never zero: DER has no leading zeros, and strict clients refuse them.
			serial = "\x5a" .. crypto.random(15),
		})
		save("server", pem, handle, names, now + LIFETIME)
	end
	return { { chain = pem, key = handle, names = names } }
end

return certificates
