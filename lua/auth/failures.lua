-- auth/failures.lua: the event of a script that failed: which script and line, and what it was given (mapping/script).
local events = require "auth/events"

-- context: { user, application, session_id, req }.
return function(context, failures)
	for _, failure in ipairs(failures) do
		local saw = #failure.saw > 0 and "; it saw " .. table.concat(failure.saw, ", ") or ""
		events.add {
			kind = "script_failed", user = context.user, application = context.application, session = context.session_id,
			req = context.req,
			reason = ("%s %s (%s:%s): %s"):format(failure.what, failure.name, failure.script, failure.line or "?", failure.kind),
			-- The message too may be made of the person's values.
			person = ("%s%s; it was given %s"):format(failure.message or failure.kind, saw, failure.given),
		}
	end
end
