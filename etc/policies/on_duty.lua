-- Asks a service inside the house who is on duty. In the configuration:
--   policy "on-duty" { script = "policies/on_duty.lua", may = { http = { "duty.example.org" } } }
local answer = http.get("https://duty.example.org/today", { params = { name = user.username }, timeout = 2 })
if not answer.ok then return false, "The duty roster does not answer. Try again in a minute." end
return answer.json().on_duty == true, "You are not on duty today."
