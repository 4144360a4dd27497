-- Only from the networks of the house; administrators from anywhere.
local INSIDE = { "10.0.0.0/8", "192.168.0.0/16", "fd00::/8" }
for _, network in ipairs(INSIDE) do
	if ip.in_network(ak_client_ip, network) then return true end
end
return is_member(user, "admins"), "This application is open inside the house only."
