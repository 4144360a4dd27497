-- config/github_hosts.lua: github_host "ghe.example.org" {} (S17)
local github_hosts = { list = "github_hosts", schema = {} }

-- RFC 1123 2.1: no label is empty, longer than 63 or edged by a hyphen, and the last is no number. `api.` must fit in front.
local function is_name(text)
	for label in (text .. "."):gmatch("([^.]*)%.") do
		if #label > 63 or not label:find("^[%l%d][%l%d%-]*$") or label:find("%-$") then return false end
	end
	return #text <= 249 and text:find("%.[^.]*%l[^.]*$") ~= nil
end

function github_hosts.label(text)
	if not is_name(text) then return "a host is a lower-case name like \"ghe.example.org\"" end
end

function github_hosts.complete(host)
	host.name = host.label
	return host
end

return github_hosts
