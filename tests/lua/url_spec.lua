-- The table `url`: absolute URLs, percent encoding, forms, cookies.
return {
	["the parts of a URL"] = function()
		local u = url.parse "HTTPS://Example.COM:8443/a%2Fb?x=1#f"
		assert(u.scheme == "https" and u.host == "example.com" and u.port == 8443 and u.path == "/a%2Fb")
		assert(u.query == "x=1" and u.fragment == "f" and u.origin == "https://example.com:8443" and u.userinfo == nil)
		assert(url.parse("https://a:443/").origin == "https://a")
		assert(url.parse("http://[::1]:8080").origin == "http://[::1]:8080")
		local native = url.parse "com.example.app:/back"
		assert(native.scheme == "com.example.app" and native.host == nil and native.origin == nil and native.path == "/back")
	end,
	["doubtful URLs are refused with a reason"] = function()
		for _, text in ipairs { "", "/a", "http:/a", "http://a\\@b", "http://a b", "http://a/%4", "http://a:0/", "http://a/\n" } do
			local u, reason = url.parse(text)
			assert(u == nil and type(reason) == "string", text)
		end
	end,
	["percent encoding both ways"] = function()
		assert(url.encode "a b/é~" == "a%20b%2F%C3%A9~")
		assert(url.decode "a%20b+c" == "a b+c")
		assert(url.decode "%4" == nil and url.decode "%zz" == nil)
	end,
	["a form gives its fields in order, by name, and which came twice"] = function()
		local list, map, duplicated = url.form_parse "a=1&b=x+y&a=2&c"
		assert(#list == 4 and list[1][1] == "a" and list[1][2] == "1" and list[3][2] == "2" and list[4][2] == "")
		assert(map.a == "1" and map.b == "x y" and map.c == "")
		assert(duplicated.a == true and duplicated.b == nil)
		assert(#url.form_parse "" == 0)
	end,
	["a bad form is refused whole"] = function()
		for _, text in ipairs { "a=%", "a=%00", "a=%ff", "%c3=%a9" } do
			local list, reason = url.form_parse(text)
			assert(list == nil and type(reason) == "string", text)
		end
		assert(url.form_parse("a&b&c", 2) == nil)
		assert(#url.form_parse("a&b", 2) == 2)
	end,
	["form_encode writes what form_parse reads"] = function()
		assert(url.form_encode { { "a", "1 2" }, { "a", "é&" }, { "n", 3 } } == "a=1+2&a=%C3%A9%26&n=3")
		assert(url.form_encode { b = "2", a = "1" } == "a=1&b=2")
		assert(url.form_encode {} == "")
		assert(not pcall(url.form_encode, { a = {} }))
	end,
	["a cookie is found once or not at all"] = function()
		assert(url.cookie("a=1; sid=abc", "sid") == "abc")
		assert(url.cookie(nil, "sid") == nil)
		local value, reason = url.cookie("sid=a; sid=b", "sid")
		assert(value == nil and reason == "bad")
	end,
	["ten thousand cookies are read in one go"] = function()
		local parts = {}
		for i = 1, 10000 do parts[i] = "c" .. i .. "=v" end
		assert(url.cookie(table.concat(parts, "; "), "c10000") == "v")
	end,
}
