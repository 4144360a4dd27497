-- What luacheck may expect. Trusted code sees the tables that core/bind/ registers; what runs inside the jail sees only the
-- jail's own.
std = "lua54"
max_line_length = 140
codes = true
unused_args = false
self = false

read_globals = {
	"db", "http", "json", "crypto", "key", "jws", "jwe", "password", "base64", "hex", "time", "log", "task", "jail", "url",
	"config_data", "sys", "regex",
}

files["lua/mapping/jail"] = {
	std = "lua54",
	read_globals = { "json", "base64", "hex", "time", "url", "regex", "host" },
}
files["tests/lua"] = {
	max_line_length = false,
	read_globals = { "describe", "it", "expect", "test" },
}
-- Configuration, mappings and policies are bodies of functions: they see what Tidelock hands them.
exclude_files = { "etc/**", "build/**", "node_modules/**", "tests/data/**" }
