-- store/database.lua: brings the tables to the version this program knows.
local database = {}

-- In order; a number is never reused and a published file never changed.
local MIGRATIONS = { { 1, "001_base" }, { 2, "002_provider" }, { 3, "003_github" }, { 4, "004_github" }, { 5, "005_sources" } }

-- The version, or nil and what went wrong (a database of a newer program, a damaged one).
function database.migrate()
	local list = {}
	for index, migration in ipairs(MIGRATIONS) do
		local number, name = migration[1], migration[2]
		local sql = sys.asset("store/migrations/" .. name .. ".sql")
		assert(sql, "missing migration " .. name)
		list[index] = { number = number, name = name, sql = sql, number, name, sql }
	end
	return db.migrate(list)
end

return database
