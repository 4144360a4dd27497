-- The telephone number in E.164 form, from the attribute phone.
local number = user.attributes.phone
if not number then return nil end
return { phone_number = number, phone_number_verified = user.attributes.phone_verified == true }
