-- password_spec.lua: the table `password`.
local cheap = { memory_kib = 64, passes = 1 }

return {
  ["a hash verifies its password and no other"] = function()
    local encoded = assert(password.hash("correct horse", cheap))
    assert(encoded:find("$argon2id$v=19$m=64,t=1,p=1$", 1, true) == 1)
    assert(encoded ~= password.hash("correct horse", cheap))
    assert(password.verify("correct horse", encoded) == true)
    assert(password.verify("correct horsf", encoded) == false)
    assert(password.verify("", encoded) == false)
    assert(password.verify(("x"):rep(5000), encoded) == false)
  end,

  ["the default cost is 7 MiB and 5 passes"] = function()
    assert(password.hash("x"):find("m=7168,t=5,p=1", 1, true))
  end,

  ["Django's hashes verify and are outdated"] = function()
    local encoded = "pbkdf2_sha256$20000$seasalt$oBSd886ysm3AqYun62DOdin8YcfbU1z9cksZSuLP9r0="
    assert(password.verify("lètmein", encoded) == true and password.verify("letmein", encoded) == false)
    assert(password.outdated(encoded))
  end,

  ["unknown texts verify nothing"] = function()
    for _, encoded in ipairs { "", "!", "$argon2id$", "$2b$12$x", "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA" } do
      assert(password.verify("x", encoded) == false)
    end
  end,

  ["outdated follows the settings"] = function()
    local encoded = password.hash("x", cheap)
    assert(not password.outdated(encoded, cheap))
    assert(password.outdated(encoded) and password.outdated(encoded, { memory_kib = 64, passes = 2 }))
    assert(not pcall(password.hash, "x", { memory_kib = 1, passes = 1 }))
  end,
}
