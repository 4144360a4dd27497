-- auth/refusals.lua: what is said to somebody whom a source sent and who is not let in: what happened and what to do. Why, in detail,
-- stands in the event; a page never tells who else is here.
local refusals = {}

local WORDS = {
	no_subject = "The place where you signed in did not say who you are. Tell whoever runs this service the request id.",
	groups_unread = "The place where you signed in could not say which groups you belong to. Try again in a few minutes.",
	script_failed = "What was said about you could not be understood. Tell whoever runs this service the request id.",
	no_rule = "Your account does not fulfil the conditions of this service. Ask your administrator.",
	disabled = "This account is switched off. Ask your administrator.",
	linked_elsewhere = "This account belongs to somebody else here already. Sign in with it, or ask your administrator.",
	protected = "An administrator's account cannot be used from elsewhere. Sign in with your name and password here.",
	name_pinned = "Your user name is taken by another account of the place where you signed in. Ask your administrator to look at it.",
	name_untrusted = "An account waits for you here, but you cannot claim it this way. Ask your administrator to link it.",
	email_unverified = "Your e-mail address is not verified at the place where you signed in. Verify it there and try again.",
	no_email = "The place where you signed in did not tell your e-mail address, which is needed here. Allow it and try again.",
	no_username = "The place where you signed in did not tell a user name, which is needed here. Ask your administrator.",
	email_taken = "An account with your e-mail address is here already. Sign in the way you did before, or ask your administrator to link it.",
	email_ambiguous = "Your e-mail address does not say which account here is yours. Ask your administrator to link it.",
	username_taken = "An account with your user name is here already. Sign in the way you did before, or ask your administrator to link it.",
	username_unfit = "Your user name cannot be used here. Ask your administrator.",
	not_enrolled = "There is no account for you here. Ask your administrator for one.",
	group_taken = "Your groups could not be brought over. Ask your administrator.",
}

-- The text for a reason of auth/arrivals.
function refusals.message(reason) return WORDS[reason] or "You cannot be signed in. Ask your administrator." end

return refusals
