-- github/graphql/run.lua: one request: read, checked, bounded, answered.
local execute  = require "github/graphql/execute"
local failure  = require "github/graphql/failure"
local lexer    = require "github/graphql/lexer"
local parser   = require "github/graphql/parser"
local plan     = require "github/graphql/plan"
local validate = require "github/graphql/validate"
local values   = require "github/graphql/values"

local run = {}

local function operation_of(document, name)
	if not name then
		if #document.operations == 1 then return document.operations[1] end
		failure.raise(#document.operations == 0 and "A query needs an operation." or "An operation name is required")
	end
	for _, each in ipairs(document.operations) do
		if each.name == name then return each end
	end
	failure.raise(('No operation named "%s"'):format(name), document.operations[1] and {
		locations = { lexer.place(document.source, document.operations[1].at) } })
end

local function text_or_nothing(value) return type(value) == "string" and value ~= "" and value or nil end

local function variables_of(value)
	if value == nil or value == json.null then return {} end
	if type(value) ~= "table" or json.is_array(value) and #value > 0 then failure.raise("Variables must be an object.") end
	return value
end

local function answer(schema, asked, given)
	if type(asked.query) ~= "string" then failure.raise("A query attribute must be specified and must be a string.") end
	local document = parser.read(asked.query)
	local errors = validate.errors(schema, document)
	if #errors > 0 then failure.raise_all(errors) end
	given.schema, given.document, given.operation = schema, document, operation_of(document, text_or_nothing(asked.operationName))
	given.variables = values.of_variables(schema, document, given.operation, variables_of(asked.variables))
	local data, failures = execute.run(plan.make(given))
	if #failures == 0 then return '{"data":' .. data .. "}" end
	return '{"data":' .. data .. ',"errors":' .. json.encode(failures) .. "}"
end

-- asked = { query, variables, operationName } as JSON had it; given: what plan.make wants of the caller, and whatever resolvers read.
-- Returns JSON. Without "data" where nothing could be executed, as GitHub has it.
function run.answer(schema, asked, given)
	-- The one catcher of failure: what it is raised in is deep inside of trees. All else goes on to the boundary.
	local ok, out = pcall(answer, schema, asked, given)
	if ok then return out end
	if not failure.is(out) then error(out, 0) end
	return '{"errors":' .. json.encode(out.errors) .. "}"
end

return run
