-- The table `db`: what goes in comes back, batches hold or leave nothing, mistakes of ours raise.
local function fresh()
	assert(db.batch {
		{ "create table if not exists spec (id integer primary key, name text, size real)" },
		{ "delete from spec" },
	})
end

local function raises(text, fn, ...)
	local ok, message = pcall(fn, ...)
	assert(not ok and tostring(message):find(text, 1, true), "wanted an error with " .. text .. ", got " .. tostring(message))
end

return {
	["values come back with their types, NULL as absent"] = function()
		local row = db.row("select $3 as c, $1 as a, $2 as b, $4 as t, $5 as n, $1 as again", 7, 0.5, "text", true, nil)
		assert(math.type(row.a) == "integer" and row.a == 7 and row.again == 7)
		assert(math.type(row.b) == "float" and row.b == 0.5)
		assert(row.c == "text" and row.t == 1 and row.n == nil)
		assert(db.row("select $1 as n", db.null).n == nil)
		assert(db.row("select '' as empty").empty == "")
	end,
	["rows is a list, row its first or nothing"] = function()
		fresh()
		assert(#db.rows("select * from spec") == 0)
		assert(db.row("select * from spec") == nil)
		for id = 1, 3 do assert(db.rows("insert into spec (id, name) values ($1, $2)", id, "n" .. id)) end
		local rows = db.rows("select id, name, size from spec order by id desc")
		assert(#rows == 3 and rows[1].id == 3 and rows[3].name == "n1" and rows[1].size == nil)
		assert(db.row("select id from spec order by id").id == 1)
	end,
	["a batch gives rows and changes of each statement"] = function()
		fresh()
		local results = assert(db.batch {
			{ "insert into spec (id, name) values ($1, $2), ($3, $2)", 1, "a", 2 },
			{ "update spec set size = 2.5 where id = $1 returning id, size", 2, rows = 1 },
			{ "update spec set name = $1", nil, n = 1, min = 2 },
		})
		assert(results[1].changes == 2 and #results[1].rows == 0)
		assert(results[2].rows[1].id == 2 and results[2].rows[1].size == 2.5)
		assert(results[3].changes == 2)
		assert(db.row("select count(*) as n from spec where name is null").n == 2)
	end,
	["D5 an expectation that fails leaves nothing behind"] = function()
		fresh()
		local results, code, index = db.batch {
			{ "insert into spec (id) values (1)" },
			{ "update spec set name = 'x' where id = 2", rows = 1 },
		}
		assert(results == nil and code == "conflict" and index == 2)
		assert(db.row("select count(*) as n from spec").n == 0)
	end,
	["a duplicate is a conflict"] = function()
		fresh()
		assert(db.batch { { "insert into spec (id) values (1)" } })
		local results, code, index = db.batch { { "select 1" }, { "insert into spec (id) values (1)" } }
		assert(results == nil and code == "conflict" and index == 2)
		local row, why = db.row("insert into spec (id) values (1) returning id")
		assert(row == nil and why == "conflict")
	end,
	["tasks that write at the same time all get their answer"] = function()
		fresh()
		local function writer(id)
			return function() return db.batch { { "insert into spec (id) values ($1)", id } } end
		end
		local a, b, c = task.all { writer(1), writer(2), writer(1) }
		local n = (a and 1 or 0) + (b and 1 or 0) + (c and 1 or 0)
		assert(n == 2 and db.row("select count(*) as n from spec").n == 2)
	end,
	["mistakes of ours raise"] = function()
		raises("syntax", db.rows, "selekt 1")
		raises("parameters", db.rows, "select $1")
		raises("parameters", db.rows, "select $1", 1, 2)
		raises("table", db.rows, "select $1", {})
		raises("UTF-8", db.rows, "select $1", "\xff")
		raises("UTF-8", db.rows, "select $1", "a\0b")
		raises("statements", db.batch, {})
		raises("SQL", db.batch, { { 1 } })
		raises("count", db.batch, { { "select 1", rows = "1" } })
		raises("more than one", db.rows, "select 1; select 2")
		raises("authorized", db.rows, "begin")
		raises("authorized", db.rows, "pragma synchronous = off")
		assert(db.row("select 1 as one").one == 1)
	end,
}
