-- command/print.lua: records as JSON or as columns; control characters never reach the terminal.
local print_ = {}

local function plain(value)
	if value == nil or value == json.null then
		return "-"
	elseif value == true then
		return "yes"
	elseif value == false then
		return "no"
	elseif type(value) == "table" then
		local parts = {}
		for _, item in ipairs(value) do
			parts[#parts + 1] = plain(item)
		end
		if #parts == 0 then
			return next(value) ~= nil and json.encode(value) or "-"
		end
		return table.concat(parts, " ")
	end
	local text = tostring(value):gsub("[%z\1-\31\127]", "?")
	-- Beyond ASCII: C1 controls, and what turns the direction of a line or breaks it.
	text = text:gsub("\xc2[\x80-\x9f]", "?"):gsub("\xe2\x80[\x8e\x8f\xa8-\xae]", "?"):gsub("\xe2\x81[\xa6-\xa9]", "?")
	return text
end
print_.plain = plain

function print_.json(value)
	return json.encode(value, { pretty = 2 }) .. "\n"
end

-- rows under their column names: columns = { { "name", "NAME" }, … }.
function print_.columns(list, columns)
	local widths, lines = {}, {}
	for index, column in ipairs(columns) do
		widths[index] = #column[2]
		for _, row in ipairs(list) do
			widths[index] = math.max(widths[index], utf8.len(plain(row[column[1]])) or 0)
		end
	end
	local function line(cell)
		local parts = {}
		for index, column in ipairs(columns) do
			local text = cell(column)
			parts[index] = index == #columns and text or text .. (" "):rep(widths[index] - (utf8.len(text) or 0))
		end
		lines[#lines + 1] = table.concat(parts, "  ")
	end
	line(function(column) return column[2] end)
	for _, row in ipairs(list) do
		line(function(column) return plain(row[column[1]]) end)
	end
	return table.concat(lines, "\n") .. "\n"
end

-- One record, a field a line, in this order.
function print_.record(row, fields)
	local width, lines = 0, {}
	for _, field in ipairs(fields) do
		width = math.max(width, #field)
	end
	for _, field in ipairs(fields) do
		if row[field] ~= nil then
			lines[#lines + 1] = field .. (" "):rep(width - #field) .. "  " .. plain(row[field])
		end
	end
	return table.concat(lines, "\n") .. "\n"
end

-- A list as asked for.
function print_.list(options, list, columns)
	if options.json then
		return { out = print_.json(json.array(list)) }
	end
	return { out = print_.columns(list, columns) }
end

-- Said to people; with --json the record.
function print_.done(options, text, record)
	if options.json then
		return { out = print_.json(json.object(record)) }
	end
	return { out = text .. "\n" }
end

function print_.time(seconds)
	return seconds and time.iso(seconds) or nil
end

return print_
