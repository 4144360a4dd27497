-- A claim with parts, only for people whose address was verified.
if not user.email_verified then return nil end
return { contact = { email = user.email, phone = user.attributes.phone, team = user.attributes.team } }
