-- The language of GitHub's second interface over a schema of the spec's own: reading, checking, coercion, execution, bounds, and what
-- becomes of queries that are damaged.
local introspection = require "github/graphql/introspection"
local parser = require "github/graphql/parser"
local run = require "github/graphql/run"
local types = require "github/graphql/types"

local function echo(_, given) return json.encode(json.object(given)) end
local function thing(id) return { id = id, name = "thing " .. id, children = id < 3 and { id + 1, id + 2 } or nil } end
local function fail() return nil, { type = "NOT_FOUND", message = "gone" } end

local THING = {
	{ "id", "ID!" }, { "name", "String" }, { "none", "String", function() end }, { "missing", "String!", function() end },
	{ "self", "Thing", function(self) return self end }, { "gone", "Thing", fail }, { "required", "Thing!", fail },
	{ "children", "[Thing]", function(self)
		local out = {}
		for index, id in ipairs(self.children or {}) do out[index] = thing(id) end
		return out
	end, cost = 40 },
}

local function definitions()
	return {
		{ kind = "OBJECT", name = "Query", fields = {
			{ "echo", "String", echo, args = { { "int", "Int", default = 7 }, { "text", "String" }, { "list", "[Int!]" }, { "flag", "Boolean" },
				{ "kind", "Kind" }, { "filter", "Filter" }, { "id", "ID" } } },
			{ "thing", "Thing", function(_, given) return thing(given.id) end, args = { { "id", "Int!" } } },
			{ "things", "[Thing!]!", function() return { thing(1), thing(2) } end },
			{ "node", "Node", function() return { type = "Thing", value = thing(5) } end },
			{ "secret", "String", function() return "secret" end, scopes = { "admin" } },
		} },
		{ kind = "INTERFACE", name = "Node", fields = { { "id", "ID!" } } },
		{ kind = "OBJECT", name = "Thing", interfaces = { "Node" }, fields = THING },
		{ kind = "OBJECT", name = "Other", interfaces = { "Node" }, fields = { { "id", "ID!" }, { "other", "String" } } },
		{ kind = "ENUM", name = "Kind", values = { "RED", "GREEN" } },
		{ kind = "INPUT_OBJECT", name = "Filter", fields = { { "kind", "Kind!" }, { "limit", "Int", default = 3 }, { "inner", "Filter" } } },
	}
end

local function schema()
	local list = definitions()
	table.move(introspection.definitions, 1, #introspection.definitions, #list + 1, list)
	return introspection.add(types.schema(list, introspection.directives()))
end
local made = schema()

local function ask(text, variables, name)
	local asked = { query = text, variables = variables and json.decode(variables), operationName = name }
	return run.answer(made, asked, { scopes = { "user" }, allowed = function() return false end, settings_url = "https://h" })
end

local function gives(text, expected, ...)
	local out = ask(text, ...)
	assert(out == '{"data":' .. expected .. "}", text .. "\n  gave   " .. out .. "\n  wanted " .. expected)
end

local function refuses(text, words, ...)
	local out = ask(text, ...)
	local decoded = json.decode(out)
	assert(decoded and decoded.errors and decoded.data == nil, text .. "\n  gave " .. out)
	assert(decoded.errors[1].message:find(words, 1, true), text .. "\n  said " .. decoded.errors[1].message .. "\n  not  " .. words)
	return decoded.errors
end

-- The arguments that a field with these got.
local function echoes(arguments, expected, declared, variables)
	local inner = json.encode(expected)
	gives((declared and "query(" .. declared .. ")" or "") .. "{echo(" .. arguments .. ")}", '{"echo":' .. inner .. "}", variables)
end

-- ---- what damaged queries are made of ----

local SEEDS = {
	[[query A($id: Int! = 2, $on: Boolean!) { thing(id: $id) { ...Part name @include(if: $on) self { name } } } fragment Part on Thing { id children { id ... on Node { id } } }]],
	[[{ echo(int: 3, text: "a\u00e9\n\"", list: [1, 2], kind: RED, filter: {kind: GREEN, limit: 1}) __typename }]],
	[[{ a: node { __typename ... on Thing { name } ... on Other { other } } b: things { id missing } __type(name: "Thing") { fields { name } } }]],
	"{ echo(text: \"\"\"\n   block\n     text\n\"\"\") # comment\n }",
}
local PIECES = { "{", "}", "(", ")", "[", "]", "!", "$", ":", "=", "@", "...", "|", "&", '"', '"""', "\\", "on", "fragment", "query", "mutation",
	"null", "true", "-", "0", "1.5e9", "99999999999999999999", "Thing", "Part", "...Part", "id", "#", "\n", "\r", "\t", ",", "\1", "\xef\xbb\xbf",
	"é", "\\u", "\\ud800", "@skip(if: $on)", "$id", "[[[[", "{a:{a:" }

-- The same numbers each time.
local function numbers(seed)
	return function(most)
		seed = (seed * 1103515245 + 12345) & 0x7fffffff
		return (seed >> 8) % most + 1
	end
end

local function damaged(random)
	local text = SEEDS[random(#SEEDS)]
	for _ = 1, random(4) do
		local at, length = random(#text), random(8) - 1
		local piece = random(3) == 1 and text:sub(random(#text)) or PIECES[random(#PIECES)]
		text = text:sub(1, at - 1) .. piece:sub(1, 200) .. text:sub(at + length)
		if #text > 4000 then text = text:sub(1, 4000) end
	end
	return text
end

return {
	["strings, numbers and names are read as they are written"] = function()
		echoes([[text: "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é"]], '{"int":7,"text":' .. json.encode("a\"\\/\b\f\n\r\té😀é") .. "}")
		echoes('text: """\n    one\n      two\\"""\n\n  """', '{"int":7,"text":"one\\n  two\\"\\"\\""}')
		echoes("int: -0, list: [1 2,,3], id: 5, flag: false", '{"flag":false,"id":"5","int":0,"list":[1,2,3]}')
		gives("\xef\xbb\xbf# a comment\n{ , echo # another\r\n}", [[{"echo":"{\"int\":7}"}]])
		assert(parser.read("{_a1:__typename}").operations[1].selections[1].key == "_a1")
	end,

	["what is no document says where"] = function()
		for _, row in ipairs {
			{ "", "Unexpected end of document" }, { "{", "Unexpected end of document" }, { "{}", 'Parse error on "}" (RCURLY) at [1, 2]' },
			{ "{\n  é", "Parse error on bad character at [2, 3]" }, { "{a(b:)}", 'Parse error on ")" (RPAREN) at [1, 6]' },
			{ "{a(b:01)}", "Parse error on bad number at [1, 6]" }, { "{a(b:1a)}", "bad number" }, { '{a(b:"x', "does not end" },
			{ '{a(b:"\\x")}', "bad escape" }, { '{a(b:"\\ud800")}', "bad Unicode" }, { '{a(b:"\\u0000")}', "bad Unicode" }, { '{a(b:"""x)}', "does not end" },
			{ "fragment on on Thing{id}", '(IDENTIFIER) at [1, 10]' }, { "type A{b:Int}", '"type"' }, { "{a} extra", '"extra"' },
			{ "query($a:Int=$b){a}", '"$" (VAR_SIGN)' }, { "{...}", '(RCURLY)' }, { "{a()}", '(RPAREN)' }, { "{a:}", "(RCURLY)" },
		} do
			refuses(row[1], row[2])
		end
		assert(refuses("{a", "Unexpected end")[1].locations[1].line == 1)
	end,

	["what means nothing is told with a code and the path to it"] = function()
		for _, row in ipairs {
			{ "{nothing}", "undefinedField", "query/nothing" }, { "query Q{thing(id:1){nope}}", "undefinedField", "query Q/thing/nope" },
			{ "{thing(id:1)}", "selectionMismatch", "query/thing" }, { "{echo{a}}", "selectionMismatch", "query/echo" },
			{ "{thing{id}}", "missingRequiredArguments", "query/thing" }, { "{echo(x:1)}", "argumentNotAccepted", "query/echo/x" },
			{ '{echo(int:"1")}', "argumentLiteralsIncompatible", "query/echo/int" }, { "{echo(int:1 int:2)}", "argumentNotUnique", "query/echo" },
			{ "{echo(kind:BLUE)}", "argumentLiteralsIncompatible" }, { "{echo(filter:{limit:1})}", "argumentLiteralsIncompatible" },
			{ "{echo(filter:{kind:RED,x:1})}", "argumentLiteralsIncompatible" }, { "{echo(list:[1,null])}", "argumentLiteralsIncompatible" },
			{ "{echo(int:3000000000)}", "argumentLiteralsIncompatible" },
			{ "{...on Nothing{id}}", "undefinedType", "query/... on Nothing" }, { "{...on Kind{id}}", "fragmentOnNonCompositeType" },
			{ "{node{...on Query{echo}}}", "cannotSpreadFragment" }, { "{...F}", "useAndDefineFragment", "query/... F" },
			{ "{echo} fragment F on Thing{id}", "useAndDefineFragment", "fragment F" },
			{ "{things{...F}} fragment F on Thing{self{...F}}", "infiniteLoop", "fragment F" },
			{ "query($a:Int){echo(int:$b)}", "variableNotDefined", "query" }, { "query Q($a:Int){echo}", "variableNotUsed", "query Q" },
			{ "query($a:Int){thing(id:$a){id}}", "variableMismatch" }, { "query($a:String){echo(int:$a)}", "variableMismatch" },
			{ "query($a:[Int]){echo(list:$a)}", "variableMismatch" }, { "query($a:Thing){echo(int:$a)}", "variableRequiresValidType" },
			{ "query($a:Int $a:Int){echo(int:$a)}", "variableNotUnique" }, { 'query($a:Int="x"){echo(int:$a)}', "defaultValueInvalidType" },
			{ "{echo @no}", "undefinedDirective" }, { "query @skip(if:true){echo}", "directiveCannotBeApplied" },
			{ "{echo @skip}", "missingRequiredArguments" }, { "{echo @skip(if:true) @skip(if:true)}", "directiveNotUniqueForLocation" },
			{ "{a:echo a:__typename}", "fieldConflict" }, { "{echo(int:1) echo(int:2)}", "fieldConflict" },
			{ "query A{echo} query A{echo}", "uniquelyNamedOperations" }, { "mutation{echo}", "missingOperationType" },
		} do
			local found = refuses(row[1], "")[1]
			assert(found.extensions.code == row[2], row[1] .. ": " .. found.extensions.code .. ", " .. found.message)
			assert(not row[3] or table.concat(found.path, "/") == row[3], row[1] .. ": " .. table.concat(found.path, "/"))
			assert(found.locations[1].line == 1 and found.locations[1].column >= 1)
		end
	end,

	["variables have their defaults, and are what their type says"] = function()
		echoes("int: $a", '{"int":5}', "$a: Int = 5")
		echoes("int: $a", '{"int":6}', "$a: Int = 5", '{"a":6}')
		echoes("int: $a", '{"int":7}', "$a: Int", "{}")
		echoes("int: $a", '{}', "$a: Int", '{"a":null}')
		echoes("list: $a", '{"int":7,"list":[1]}', "$a: [Int!]", '{"a":1}')
		echoes("list: [1, $a]", '{"int":7,"list":[1,2]}', "$a: Int!", '{"a":2}')
		echoes("id: $a", '{"id":"7","int":7}', "$a: ID", '{"a":7}')
		echoes("filter: $a", '{"filter":{"kind":"RED","limit":3},"int":7}', "$a: Filter", '{"a":{"kind":"RED"}}')
		echoes("filter: {kind: $a}", '{"filter":{"kind":"GREEN","limit":3},"int":7}', "$a: Kind!", '{"a":"GREEN"}')
		for _, row in ipairs {
			{ "$a: Int!", "int: $a", "{}", "null" }, { "$a: Int", "int: $a", '{"a":"1"}', 'Could not coerce value "1" to Int' },
			{ "$a: Int", "int: $a", '{"a":1.5}', "Could not coerce" }, { "$a: [Int!]", "list: $a", '{"a":[1,null]}', "null" },
			{ "$a: Kind", "kind: $a", '{"a":"BLUE"}', "one of: RED, GREEN" }, { "$a: Filter", "filter: $a", '{"a":{"x":1}}', "not defined" },
			{ "$a: Filter", "filter: $a", '{"a":{"kind":"RED","inner":{}}}', "null" }, { "$a: String", "text: $a", '{"a":{}}', "Could not coerce" },
		} do
			local found = refuses("query(" .. row[1] .. "){echo(" .. row[2] .. ")}", "Variable $a of type", row[3])
			assert(found[1].extensions.problems[1].explanation:find(row[4], 1, true), found[1].extensions.problems[1].explanation)
		end
		refuses("{echo}", "Variables must be an object", "[1]")
	end,

	["fields of one name are one, in the order of the request, and nothing else is answered"] = function()
		gives("{thing(id:4){name} t:__typename thing(id:4){id name}}", '{"thing":{"name":"thing 4","id":"4"},"t":"Query"}')
		gives("{...A x:echo} fragment A on Query{...B thing(id:4){...C}} fragment B on Query{thing(id:4){id}} fragment C on Thing{name}",
			[[{"thing":{"id":"4","name":"thing 4"},"x":"{\"int\":7}"}]])
		gives("{node{__typename id ...on Thing{name} ...on Other{other} ...{i:id}}}", '{"node":{"__typename":"Thing","id":"5","name":"thing 5","i":"5"}}')
		gives("query($y:Boolean!,$n:Boolean!){a:__typename @skip(if:$y) b:__typename @include(if:$n) c:__typename @include(if:$y) @skip(if:$n) ...@include(if:$n){d:echo} ...F @skip(if:$y)} fragment F on Query{e:echo}",
			'{"c":"Query"}', '{"y":true,"n":false}')
		gives("query A{a:__typename} query B{b:__typename}", '{"b":"Query"}', nil, "B")
		refuses("query A{a:__typename} query B{b:__typename}", "An operation name is required")
		refuses("query A{a:__typename}", 'No operation named "C"', nil, "C")
	end,

	["what must not be null takes what is around it away, and says so once"] = function()
		for _, row in ipairs {
			{ "{thing(id:4){none}}", '{"thing":{"none":null}}' }, { "{thing(id:4){id missing}}", '{"thing":null}', "thing/missing" },
			{ "{thing(id:4){gone{id} name}}", '{"thing":{"gone":null,"name":"thing 4"}}', "thing/gone" },
			{ "{thing(id:4){required{id}}}", '{"thing":null}', "thing/required" }, { "{things{id missing}}", "null", "things/0/missing" },
			{ "{thing(id:1){children{id x:missing}}}", '{"thing":{"children":[null,null]}}', "thing/children/0/x" },
		} do
			local decoded = json.decode(ask(row[1]))
			assert(json.encode(decoded.data) == json.encode(json.decode(row[2])), ask(row[1]))
			assert((decoded.errors ~= nil) == (row[3] ~= nil), ask(row[1]))
			if row[3] then
				assert(table.concat(decoded.errors[1].path, "/") == row[3], ask(row[1]))
				assert(#decoded.errors == select(2, row[2]:gsub("null", "")), ask(row[1]))
			end
		end
		assert(refuses("{secret}", "requires one of the following scopes: ['admin']")[1].type == "INSUFFICIENT_SCOPES")
		gives("query($n:Boolean!){__typename secret @include(if:$n)}", '{"__typename":"Query"}', '{"n":false}')
	end,

	["what is too much is refused before it is done"] = function()
		refuses(("{thing(id:1)"):rep(1000) .. ("}"):rep(1000), "levels deep")
		refuses("{thing(id:1)" .. ("{self"):rep(30) .. "{id}" .. ("}"):rep(31), "more than 25 levels deep")
		refuses("{echo(list:" .. ("["):rep(1000) .. ("]"):rep(1000) .. ")}", "levels deep")
		refuses("query($a:" .. ("["):rep(1000) .. "Int" .. ("]"):rep(1000) .. "){echo(list:$a)}", "levels deep")
		refuses("{" .. ("a "):rep(10001) .. "}", "tokens")
		refuses("{echo(text:\"" .. ("a"):rep(65536) .. "\")}", "bytes")
		refuses(("query A{echo}"):rep(21), "at most 20 operations")
		local doubling = { "{thing(id:4){...F0}}" }
		for index = 0, 19 do
			doubling[#doubling + 1] = ("fragment F%d on Thing{a:self{...F%d} b:self{...F%d}}"):format(index, index + 1, index + 1)
		end
		refuses(table.concat(doubling) .. "fragment F20 on Thing{id}", "selects more than 5000 fields")
		local many = {}
		for index = 1, 750 do many[index] = ("a%d:things{children{children{id}}}"):format(index) end
		assert(refuses("{" .. table.concat(many, " ") .. "}", "Resource limits")[1].type == "RESOURCE_LIMITS_EXCEEDED")
		local wrong = {}
		for index = 1, 300 do wrong[index] = "x" .. index end
		assert(#refuses("{" .. table.concat(wrong, " ") .. "}", "exist") == 100)
	end,

	["a damaged query is answered, and never with anything but JSON"] = function()
		local random = numbers(42)
		for _ = 1, 4000 do
			local text = damaged(random)
			if utf8.len(text) then
				local out = ask(text, random(2) == 1 and '{"id":1,"on":true}' or nil)
				local decoded = json.decode(out)
				assert(decoded and (decoded.data ~= nil or #decoded.errors > 0), text .. "\n" .. out)
				for _, each in ipairs(decoded.errors or {}) do assert(type(each.message) == "string", out) end
			end
		end
	end,
}
