-- The device flow's rows and codes against the in-memory database: their limits, and that they go.
local address = require "kit/address"
local database = require "store/database"
local devices = require "auth/devices"
local housekeeping = require "auth/housekeeping"
local rows = require "store/rows"
local store = require "store/devices"

local function application(name)
	database.migrate()
	rows.batch { { "insert into applications (id, slug, client_id, data, created_at) values ($1, $1, $1, '{}', 0)", name } }
	return { id = name }
end

local function start(of, peer, anonymous)
	return pcall(devices.start, { application = of, scopes = { "openid" }, anonymous = anonymous, req = { peer = peer } })
end

local function count(of)
	return rows.one("select count(*) as n from device_codes where application_id = $1", of.id).n
end

return {
	["one place is an IPv4 address or the IPv6 addresses of one subscriber"] = function()
		assert(address.place("192.0.2.1") == "192.0.2.1")
		assert(address.place("2001:db8:1:2::1") == address.place("2001:db8:1:2:ffff::9"))
		assert(address.place("2001:db8:1:2::1") ~= address.place("2001:db8:1:3::1"))
		assert(address.place("2001:db8:1:2::1") == "2001:db8:1:2::/64")
		assert(address.place("::ffff:192.0.2.1") == "::ffff:192.0.2.1")
	end,
	["strangers of one subscriber share their twenty codes, whatever their address"] = function()
		local of = application "d-place"
		for n = 1, 20 do
			assert(start(of, ("2001:db8::%x"):format(n), true))
		end
		local ok, e = start(of, "2001:db8::ffff", true)
		assert(not ok and e.oauth == "slow_down" and e.status == 429)
		assert(start(of, "2001:db8:0:1::1", true))
		assert(start(of, "2001:db8::1", false), "a client with a secret is no stranger")
	end,
	["an application has so many rows and no more"] = function()
		local of, most = application "d-most", store.MOST
		store.MOST = 5
		for n = 1, 5 do
			assert(start(of, "198.51.100." .. n, n % 2 == 1))
		end
		local ok, e = start(of, "198.51.100.9", false)
		assert(start(application "d-other", "198.51.100.9", false), "others are not touched")
		store.MOST = most
		assert(not ok and e.oauth == "temporarily_unavailable" and e.status == 503)
		assert(count(of) == 5)
	end,
	["user codes are of twenty letters, all alike likely, and read in any writing"] = function()
		local of, seen, letters = application "d-letters", {}, 0
		for _ = 1, 60 do
			local _, _, user_code = start(of, "198.51.100.1", false)
			assert(devices.grouped(devices.normalise(user_code)) == user_code)
			for letter in user_code:gmatch("%a") do
				if not seen[letter] then letters = letters + 1 end
				seen[letter] = true
			end
		end
		assert(letters == 20, letters)
		assert(devices.normalise(" bcdf_ghjk ") == "BCDFGHJK" and devices.normalise("BCDF.GHJ K") == "BCDFGHJK")
		for _, text in ipairs { "", "BCDFGHJ", "BCDFGHJKL", "ABCDFGHJ", "BCDFGHJ1", "BCDFGHJ\0", "ÄBCDFGH" } do
			assert(not devices.normalise(text), text)
		end
		assert(not devices.normalise(nil))
	end,
	["rows go an hour after their end"] = function()
		local of = application "d-sweep"
		assert(start(of, "198.51.100.1", true))
		sys.debug { advance = devices.LIFETIME + 3000 }
		housekeeping.run()
		assert(count(of) == 1)
		sys.debug { advance = 700 }
		housekeeping.run()
		assert(count(of) == 0)
	end,
}
