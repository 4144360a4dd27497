-- Every claim of the standard's profile scope (OpenID Connect Core 5.4), as far as the user's attributes know it.
local claims = {
	name = user.name ~= "" and user.name or user.username, preferred_username = user.username, nickname = user.attributes.nickname or user.username,
}
for _, name in ipairs { "family_name", "given_name", "middle_name", "profile", "picture", "website", "gender", "birthdate", "zoneinfo", "locale" } do
	claims[name] = user.attributes[name]
end
claims.updated_at = user.attributes.updated_at or user.date_joined
return claims
