-- The address, with whether it was verified (OpenID Connect Core 5.4), as authentik's own mapping of the scope email has it.
if user.email == "" then return nil end
return { email = user.email, email_verified = user.email_verified }
