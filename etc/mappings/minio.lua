-- For MinIO's claim_name = policy: the names of policies, by group.
local POLICIES = { admins = "consoleAdmin", ["minio-writers"] = "readwrite" }
local policies = {}
for _, group in ipairs(user.all_groups) do policies[#policies + 1] = POLICIES[group.name] end
if #policies == 0 then return nil end
return { policy = policies }
