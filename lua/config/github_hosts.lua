-- config/github_hosts.lua: github_host "ghe.example.org" {} (S17)
local github_hosts = { list = "github_hosts", schema = {} }

function github_hosts.label(text)
	if #text > 253 or text ~= text:lower() or not text:find("^[%w][%w%-]*%.[%w%-.]*[%w]$") then
		return "a host is a lower-case name like \"ghe.example.org\""
	end
end

function github_hosts.complete(host)
	host.name = host.label
	return host
end

return github_hosts
