-- The table `time`.
return {
	["dates as HTTP and RFC 3339 write them"] = function()
		assert(time.http(784111777) == "Sun, 06 Nov 1994 08:49:37 GMT")
		assert(time.iso(784111777) == "1994-11-06T08:49:37Z")
		assert(time.iso(0) == "1970-01-01T00:00:00Z" and time.http(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
		assert(time.iso(253402300799) == "9999-12-31T23:59:59Z")
		assert(not pcall(time.iso, 253402300800) and not pcall(time.http, 1.5))
	end,
	["the clocks agree"] = function()
		local now, ms = time.now(), time.now_ms()
		assert(math.type(now) == "integer" and math.type(ms) == "integer")
		assert(ms // 1000 - now <= 1)
		local before = time.mono()
		assert(math.type(before) == "float" and time.mono() >= before)
	end,
	["D10 tests move both clocks"] = function()
		if not sys.debug then return end
		local now, mono = time.now(), time.mono()
		sys.debug { advance = 3600 }
		assert(time.now() - now >= 3600 and time.now() - now < 3610)
		assert(time.mono() - mono >= 3600)
	end,
}
