-- config/banner.lua: what `serve` prints for the lab: where to go, who to be, what to try.
return function(data)
	local settings, out = data.settings, {}
	local function line(format, ...)
		out[#out + 1] = format:format(...)
	end
	line("")
	line("Tidelock's lab runs at %s/", settings.public_url)
	line("")
	for _, user in ipairs(data.users) do
		if user.password then
			line("  user %-12s password %-14s groups %s", user.label, user.password,
				#user.groups > 0 and table.concat(user.groups, ", ") or "none")
		end
	end
	if settings.public_url:find("^https") and not settings.tls then
		line("")
		line("  certificate authority  %s/lab-ca.pem", settings.data)
	end
	line("")
	line("Try:")
	line("  1. open %s/lab/ and sign in to the applications as one of them", settings.public_url)
	local application = data.applications[1]
	if application then
		line("  2. curl --cacert %s/lab-ca.pem %s/application/o/%s/.well-known/openid-configuration", settings.data,
			settings.public_url, application.label)
	end
	local mapping, user = data.scope_mappings[1], data.users[1]
	if mapping and user and application then
		line("  3. build/tidelock try scope %s --user %s --app %s -c %s", mapping.label, user.label, application.label,
			data.files[1])
	end
	local source = data.sources and data.sources[1]
	if source then
		line("  4. open %s/signin and continue with %s", settings.public_url, source.name)
	end
	line("")
	return table.concat(out, "\n") .. "\n"
end
