-- jail_spec.lua: the owner's scripts: what they may, what they cost, how their mistakes are told.
local function run(source, given, limits)
	return jail.run { kind = "scope", name = "test", chunk = "=mappings/test.lua", source = source, given = given, limits = limits }
end

local function value(source, given)
	local answer, failure = run(source, given)
	if not answer then error(failure.kind .. ": " .. failure.message .. " (line " .. tostring(failure.line) .. ")", 2) end
	return answer.result
end

local function failure(kind, source, given, limits)
	local answer, why = run(source, given, limits)
	assert(not answer, "did not fail")
	if why.kind ~= kind then error(why.kind .. ": " .. why.message, 2) end
	return why
end

local function has(list, text)
	for _, one in ipairs(list) do
		if one == text then return true end
	end
	return false, table.concat(list, "; ")
end

local user = {
	username = "octavia", email = "octavia@example.org",
	groups = { { name = "app-core" } },
	all_groups = { { name = "app-core", attributes = { team = { name = "Core" } } }, { name = "everyone" } },
}

return {
	["a script is the body of a function over named values"] = function()
		local names = value([[
			local names = {}
			for _, group in ipairs(user.groups) do names[#names + 1] = group.name end
			return names]], { user = user })
		assert(#names == 1 and names[1] == "app-core")
	end,

	["what it cost comes with the result"] = function()
		local answer = assert(run("for i = 1, 10000 do local x = i * 2 end return 1"))
		assert(answer.instructions > 10000 and answer.instructions < 100000, answer.instructions)
		assert(answer.memory > 0 and answer.ms > 0)
	end,

	["every instruction is counted when asked"] = function()
		local answer = assert(jail.run { chunk = "=t.lua", source = "local x = 1 return x", exact = true })
		assert(answer.instructions > 1 and answer.instructions < 20, answer.instructions)
	end,

	["two results come back, a policy's answer and its message"] = function()
		local answer = assert(run("return false, 'not on Sundays'"))
		assert(answer.result == false and answer.second == "not on Sundays")
	end,

	["nothing survives a call"] = function()
		value("left = 'behind' string.upper = nil table.extra = 1 regex_match('a', 'a') return 1")
		assert(value("return type(string.upper)") == "function")
		assert(value("return type(table.extra)") == "nil")
		local why = failure("error", "return left")
		assert(why.message == "undefined name 'left'", why.message)
		value("local mt = getmetatable(log) or {} log.info = 1 user.x = 1 return nil", { user = {} })
		assert(value("log.info('x') return user.x", { user = {} }) == nil)
	end,

	["a failure names line and what the line saw"] = function()
		local why = failure("error", "local other = 7\nlocal list = user.groups\nreturn user.mail:lower() .. other", { user = user })
		assert(why.line == 3, why.line)
		assert(why.message:find("attempt to index a nil value (field 'mail')", 1, true), why.message)
		assert(has(why.saw, "user.mail = nil"))
		assert(has(why.saw, "other = 7"))
	end,

	["values in messages are short, and texts are quoted"] = function()
		local why = failure("error", "local text = ('x'):rep(500) local list = { 1, 2 }\nerror(text .. list)")
		assert(why.line == 2)
		for _, saw in ipairs(why.saw) do assert(#saw < 120, saw) end
		assert(has(why.saw, "list = a list of 2"))
	end,

	["names inside texts and comments are not looked up"] = function()
		local why = failure("error", "local a, b = 1, 2\nerror('a' .. a) -- b")
		assert(has(why.saw, "a = 1"))
		assert(not has(why.saw, "b = 2"))
	end,

	["thrown tables and nil are failures too"] = function()
		assert(failure("error", "error({})").line == 1)
		failure("error", "error()")
	end,

	["a syntax error says where (test_property_mapping: syntax error)"] = function()
		local why = failure("syntax", "local x = 1\nreturn return")
		assert(why.line == 2 and why.message:find("unexpected symbol", 1, true), why.message)
		local ok, wrong = jail.compile { name = "t", chunk = "=t.lua", source = "x = = 1" }
		assert(ok == nil and wrong.line == 1)
		assert(jail.compile { name = "t", chunk = "=t.lua", source = "return 1" } == true)
	end,

	["what scripts say is text, whatever bytes they say"] = function()
		local answer, why = jail.run { chunk = "=t.lua", source = [[log.info("\xfe\xff") local x = "\xff" error("\xff bad " .. x)]] }
		assert(not answer and why.message == "? bad ?" and why.log[1].text == "??" and utf8.len(table.concat(why.saw)))
	end,
	["a long path is shown by its end"] = function()
		local path = ("d/"):rep(200) .. "last.lua"
		local answer, why = jail.run { chunk = "=" .. path, source = "local x = nil\nreturn x.y" }
		assert(not answer and why.line == 2 and why.message:find("^attempt to index"))
		assert(jail.compile { name = "t", chunk = "=" .. path, source = "return 1" } == true)
	end,
	["security-cases 16: binary chunks are refused"] = function()
		failure("syntax", "\27Lua\x54\0\x19\x93\r\n\x1a\n")
	end,

	["results must be plain data, and the message has the path"] = function()
		local why = failure("result", "return { groups = { 1, 2, print } }")
		assert(why.message == "result.groups[3] is a function", why.message)
		failure("result", "local t = {} t.t = t return t")
		failure("result", "return ('x'):rep(300000)")
		failure("result", "return 0/0")
		failure("result", "local t = {} for i = 1, 20 do t = { t } end return t")
	end,

	["an endless loop ends by instructions, whatever it catches"] = function()
		local function spent(source)
			return failure("instructions", source, nil, { instructions = 50000 })
		end
		assert(spent("local x = 0\nwhile true do x = x + 1 end").line == 2)
		spent("while true do pcall(function() while true do end end) end")
		spent("local function f() pcall(f) while true do pcall(f) end end f()")
		spent("xpcall(function() while true do end end, function() while true do end end)")
		spent("xpcall(function() error('x') end, function() while true do end end)")
		spent("do local r <close> = setmetatable({}, { __close = function() while true do end end }) end")
		spent("local t = {} for i = 1, 100 do t[i] = i end table.sort(t, function() while true do end end)")
		spent("return (('x'):rep(100):gsub('.', function() while true do end end))")
		spent("return setmetatable({}, { __index = function() while true do end end }).x")
		spent("for i = 1, 100000 do end")
	end,

	["an endless loop under the full budget ends in either way"] = function()
		local answer, why = run("while true do end")
		assert(not answer and (why.kind == "instructions" or why.kind == "timeout"), why.kind)
	end,

	["security-cases 16: memory ends a script, whatever it catches"] = function()
		local why = failure("memory", "local t, s = {}, ('x'):rep(1000)\nfor i = 1, 1e9 do t[i] = s .. i end")
		assert(why.line == 2, why.line)
		failure("memory", "local t, s = {}, ('x'):rep(1000) pcall(function() for i = 1, 1e9 do t[i] = s .. i end end) return 1")
		failure("memory", "local s = 'x' while true do s = s .. s end")
		failure("memory", "local t = {} for i = 1, 1e5 do t[i] = i end", nil, { memory = 100000 })
	end,

	["a pattern that would take hours is ended, and the next call is served"] = function()
		local from = time.mono()
		failure("timeout", "return (('a'):rep(28)):find(('a?'):rep(28) .. ('a'):rep(29))")
		assert(value("return 7") == 7)
		local took = time.mono() - from
		assert(took < 1, took)
	end,

	["one slow script does not hold up the others"] = function()
		local slow = "return (('a'):rep(28)):find(('a?'):rep(28) .. ('a'):rep(29))"
		local a, b, c = task.all {
			function() return select(2, run(slow)).kind end,
			function() return select(2, run(slow)).kind end,
			function() return value("return 1") end,
		}
		assert(a == "timeout" and b == "timeout" and c == 1)
	end,

	["deep recursion is an error of its own"] = function()
		local answer, why = run("local function f() return 1 + f() end return f()")
		assert(not answer and why.kind == "memory" and why.line == 1, why.kind)
	end,

	["security-cases 16: what is dangerous is absent"] = function()
		for _, name in ipairs { "io", "os", "debug", "load", "loadstring", "require", "dofile", "coroutine",
			"collectgarbage", "package", "_G" } do
			failure("error", "return " .. name)
		end
		assert(value("return math.random == nil and string.dump == nil and getmetatable('') == false") == true)
		failure("error", "setmetatable({}, { __gc = function() end })")
		failure("error", "return ('x'):rep(1e9)")
		failure("error", "return table.move({}, 1, 1e7, 2)")
		failure("error", "return #{ table.unpack({}, 1, 1e6) }")
		failure("error", "return ('x'):rep(100000):match('y')")
	end,

	["optional values read as nil, other unknown names raise"] = function()
		assert(value("return request == nil and session == nil") == true)
		assert(failure("error", "return usr").message == "undefined name 'usr'")
	end,

	["logged lines come back with the result and with a failure"] = function()
		local answer = assert(run("log.info('hello', { b = 2, a = 'x' }) ak_logger.warning('careful') print('a', 1) return 1"))
		assert(#answer.log == 3)
		assert(answer.log[1].level == "info" and answer.log[1].text == "hello a=x b=2", answer.log[1].text)
		assert(answer.log[2].level == "warning")
		assert(answer.log[3].text == "a\t1")
		assert(failure("error", "log.error('before') error('x')").log[1].text == "before")
		assert(#assert(run("for i = 1, 500 do log.info(i) end return 1")).log == 50)
	end,

	["regex_match searches anywhere"] = function()
		assert(value [[return regex_match("hello world", "wor")]] == true)
		assert(value [[return regex_match("hello", "^ello")]] == false)
		assert(value [[return regex_match("Grüße", "^\\w+$")]] == true)
		assert(value [[return regex_match("a@example.org", "(?i)@EXAMPLE\\.org$")]] == true)
	end,

	["regex_replace replaces all, with back references"] = function()
		assert(value [[return regex_replace("app-core app-web", "app-(\\w+)", "team-\\1")]] == "team-core team-web")
		assert(value [[return regex_replace("abxd", "x*", "-")]] == "-a-b--d-")
		assert(value [[return regex_replace("ünï", "(?<l>.)", "[\\g<l>]")]] == "[ü][n][ï]")
		assert(value [[return regex_replace("a.b", "\\.", "\\\\")]] == "a\\b")
		failure("error", [[return regex_replace("a", "a", "\\2")]])
	end,

	["bad and costly expressions are errors with a reason"] = function()
		local why = failure("error", [[return regex_match("x", "(")]])
		assert(why.message:find("bad pattern", 1, true), why.message)
		why = failure("error", [[return regex_match(("a"):rep(40) .. "b", "^(a+)+$")]])
		assert(why.message:find("takes too long", 1, true), why.message)
		failure("error", [[return regex_match("\xff", "x")]])
		failure("error", [[return regex_match("x", "\\C")]])
	end,

	["is_member looks at all groups, by name or by more"] = function()
		local given = { user = user }
		assert(value("return is_member(user, 'everyone')", given) == true)
		assert(value("return ak_is_group_member(user, { name = 'nobody' })", given) == false)
		assert(value("return is_member(user, { name__startswith = 'app-' })", given) == true)
		assert(value("return is_member(user, { attributes__team__name = 'Core' })", given) == true)
		assert(value("return is_member(user, { attributes__team__name = 'Web' })", given) == false)
	end,

	["texts and lists"] = function()
		assert(value("return slugify('  Große Hütte, 7th Floor! ')") == "grosse-hutte-7th-floor")
		assert(value("return list_flatten({ 'a', 'b' })") == "a")
		assert(value("return list_flatten({}) == nil and list_flatten('x') == 'x'") == true)
	end,

	["json, base64 and hashes"] = function()
		assert(value([[return json.encode({ b = { 1, 2.5, true }, a = "x\n", c = {} })]]) == [[{"a":"x\n","b":[1,2.5,true],"c":[]}]])
		assert(value([[return json.decode('{"a":[1,{"b":null}]}').a[1] ]]) == 1)
		assert(value([[local v, why = json.decode('{"a":1,"a":2}') return v == nil and why]]))
		failure("error", "local t = {} t[1] = t return json.encode(t)")
		assert(value("return base64.encode('hi') .. base64.url_encode('??>') .. base64.decode('aGk=')") == "aGk=Pz8-hi")
		assert(value("return base64.decode('!') == nil") == true)
		assert(value("return sha256('abc')") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
	end,

	["addresses and networks"] = function()
		assert(value("return ip.in_network('10.1.2.3', '10.0.0.0/8')") == true)
		assert(value("return ip.in_network('11.1.2.3', ip_network('10.0.0.0/8'))") == false)
		assert(value("return ip.in_network('::ffff:10.0.0.1', '10.0.0.0/8')") == true)
		assert(value("return ip.in_network('2001:db8::1', '2001:db8::/33')") == true)
		assert(value("return ip.parse('10.0.0.1').is_private and not ip.parse('8.8.8.8').private") == true)
		assert(value("return ip.parse('300.1.1.1') == nil and ip.parse('::0001').text") == "::1")
		assert(value("return tostring(ip_address('127.0.0.1'))") == "127.0.0.1")
		failure("error", "return ip_address('nonsense')")
	end,

	["too much given is told, not sent"] = function()
		local why = failure("error", "return 1", { user = { name = ("x"):rep(300000) } })
		assert(why.message:find("given", 1, true), why.message)
	end,

	["a call that nobody waits for any more harms no other"] = function()
		local ok = pcall(task.all, {
			function() return run("local x = 0 for i = 1, 100000 do x = x + i end return x") end,
			function() error("stop") end,
		})
		assert(not ok)
		for i = 1, 20 do assert(value("return " .. i) == i) end
	end,

	["many calls at once are all answered"] = function()
		local jobs = {}
		for i = 1, 16 do jobs[i] = function() return value("return user * 2", { user = i }) end end
		local results = table.pack(task.all(jobs))
		for i = 1, 16 do assert(results[i] == i * 2) end
	end,
}
