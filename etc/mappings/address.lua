-- The address (OpenID Connect Core 5.1.1), from the attribute of the same name: a table of street_address, locality, postal_code, …
local address = user.attributes.address
if type(address) == "string" then address = { formatted = address } end
return { address = address }
