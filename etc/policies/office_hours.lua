-- Monday to Friday from 8 to 18 o'clock where this machine stands; whoever is in the group on-call may come at any time.
local t = localtime()
local open = t.weekday <= 5 and t.hour >= 8 and t.hour < 18
return open or is_member(user, "on-call"), "This application is open on weekdays from 8 to 18 o'clock."
