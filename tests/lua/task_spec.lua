-- task_spec.lua: waiting, tasks in tasks, and what trusted code may not touch.
local function fails_with(text, fn, ...)
	local ok, why = pcall(fn, ...)
	assert(not ok, "did not fail")
	assert(tostring(why):find(text, 1, true), tostring(why))
end

return {
	["sleeping waits about as long as asked"] = function()
		local from = time.mono()
		task.sleep(0.02)
		local took = time.mono() - from
		assert(took >= 0.019 and took < 2, took)
	end,

	["task.all gives first results in order"] = function()
		local a, b = task.all {
			function() task.sleep(0.02) return "a", "ignored" end,
			function() return "b" end,
		}
		assert(a == "a" and b == "b")
	end,

	["task.all raises what one function raised, unchanged"] = function()
		local thrown = { status = 404 }
		local ok, why = pcall(task.all, { function() task.sleep(5) end, function() error(thrown) end })
		assert(not ok and why == thrown)
	end,

	["a spawned task runs when its starter waits"] = function()
		local seen
		task.spawn(function(value) seen = value end, 7)
		assert(seen == nil)
		task.sleep(0.01)
		assert(seen == 7)
	end,

	["waiting inside a sort comparator is an error, not a hang"] = function()
		fails_with("cannot wait here", table.sort, { 2, 1, 3 }, function() task.sleep(0) end)
	end,

	["unknown globals raise with their name"] = function()
		fails_with("undefined global 'no_such_name'", function() return no_such_name end)
		fails_with("assignment to global 'no_such_name'", function() no_such_name = 1 end)
	end,

	["bound tables are read-only"] = function()
		fails_with("read-only", function() string.format = nil end)
		fails_with("read-only", function() json.encode = 1 end)
		assert(not pcall(rawset, json, "encode", 1))
	end,

	["the string metatable is out of reach"] = function()
		assert(getmetatable("") == false)
	end,

	["dangerous functions are absent"] = function()
		for _, name in ipairs { "io", "os", "debug", "load", "loadfile", "dofile", "coroutine", "collectgarbage",
			"package", "_G" } do
			fails_with("undefined global", function() return _ENV[name] end)
		end
		assert(string.dump == nil)
	end,

	["require accepts both spellings and gives the same module"] = function()
		assert(require "kit/err" == require "kit.err")
	end,

	["require says what is missing"] = function()
		fails_with("lua/kit/nothing.lua", require, "kit/nothing")
		fails_with("bad module name", require, "../etc/passwd")
		fails_with("bad module name", require, "kit//err")
	end,
}
