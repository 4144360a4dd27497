-- Session tags for AWS STS AssumeRoleWithWebIdentity: each a list of one text of at most 256 characters; `department` goes on to further roles.
local function tag(text) return { tostring(text):sub(1, 256) } end
local tags = { email = tag(user.email), username = tag(user.username) }
if user.attributes.department then tags.department = tag(user.attributes.department) end
return {
	["https://aws.amazon.com/tags"] = {
		principal_tags = tags, transitive_tag_keys = tags.department and { "department" } or {},
	},
}
