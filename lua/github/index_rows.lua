-- github/index_rows.lua: rows of the index (store/github_places) as the rest knows organisations, teams and people (github/identity).
local index_rows = {}

function index_rows.organization(row)
	return row and { number = row.number, login = row.shown, name = row.name, description = row.description, created_at = row.created_at }
end

function index_rows.team(row)
	if not row then return nil end
	local organization = { number = row.o_number, login = row.o_shown, name = row.o_name, description = row.o_description,
		created_at = row.o_created_at }
	local parent = row.p_number and { number = row.p_number, slug = row.p_shown, name = row.p_name, description = row.p_description,
		organization = organization }
	return { number = row.number, slug = row.shown, name = row.name, description = row.description, created_at = row.created_at,
		members_count = row.members, organization = organization, parent = parent }
end

-- `role` and `direct` are those in the place whose list this is.
function index_rows.person(row)
	local profile = json.decode(row.profile)
	local function field(position) return profile[position] ~= json.null and profile[position] or nil end
	return { user_id = row.user_id, number = row.number, login = row.shown, name = row.name, company = field(1), location = field(2),
		bio = field(3), emails = field(4) or {}, created_at = row.created_at, role = row.role, direct = row.direct == 1 }
end

-- All of a list by one of these.
function index_rows.all(list, from)
	local out = {}
	for position, row in ipairs(list) do out[position] = from(row) end
	return out
end

return index_rows
