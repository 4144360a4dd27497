-- What luacheck may expect. Trusted code sees the tables that core/bind/ registers; what runs inside the jail sees only the
-- jail's own.
std = "lua54"
max_line_length = 140
codes = true
unused_args = false
self = false

read_globals = {
	"db", "http", "json", "crypto", "dns", "key", "jws", "jwe", "password", "base64", "hex", "time", "log", "task", "jail", "url",
	"config_data", "sys", "regex", "outgoing",
}

-- The helpers that scripts see: a file here makes global names, and that is its work.
files["lua/mapping/jail"] = {
	std = "lua54",
	allow_defined = true,
	ignore = { "131" },
	globals = { "json", "log", "print", "request", "http" },
	read_globals = {
		"base64", "hex", "time", "url", "regex", "regex_match", "ip", "list_flatten", "slugify", "is_member", "user", "application", "token",
		"context", "now", "utc_offset",
	},
}
-- Runs in the sealed process that evaluates the configuration file.
files["lua/config/language.lua"] = { read_globals = { "host" } }
files["tests/lua"] = {
	-- Specs prove that globals cannot be written.
	ignore = { "111", "113", "121", "122", "142", "143" },
	max_line_length = false,
	read_globals = { "describe", "it", "expect", "test" },
}
-- Configuration, mappings and policies are bodies of functions: they see what Tidelock hands them.
exclude_files = { "etc/**", "build/**", "node_modules/**", "tests/data/**" }
