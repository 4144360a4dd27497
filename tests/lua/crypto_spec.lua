-- crypto_spec.lua: the tables `crypto`, `base64` and `hex`.
return {
  ["ids are ULIDs that sort by time"] = function()
    local a, b = crypto.id(), crypto.id()
    assert(#a == 26 and a ~= b)
    assert(a:find("^[0-7][0-9a-hjkmnp-tv-z]+$"))
    assert(a:sub(1, 8) <= b:sub(1, 8))
    local digits, ms = "0123456789abcdefghjkmnpqrstvwxyz", 0
    for c in a:sub(1, 10):gmatch(".") do ms = ms * 32 + digits:find(c, 1, true) - 1 end
    assert(math.abs(ms // 1000 - time.now()) <= 2)
  end,

  ["random values have the length asked for"] = function()
    assert(#crypto.random(16) == 16 and crypto.random(16) ~= crypto.random(16))
    assert(not pcall(crypto.random, 0) and not pcall(crypto.random, 5000))
    local token = crypto.token("tl_")
    assert(token:sub(1, 3) == "tl_" and #base64.url_decode(token:sub(4)) == 32)
    assert(not pcall(crypto.token, "x", 8))
  end,

  ["hashes"] = function()
    assert(hex.encode(crypto.sha256("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    assert(hex.encode(crypto.sha1("abc")) == "a9993e364706816aba3e25717850c26c9cd0d89d")
    assert(#crypto.sha384("") == 48 and #crypto.sha512("") == 64)
    assert(hex.encode(crypto.hmac_sha256("Jefe", "what do ya want for nothing?"))
      == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
  end,

  ["equal compares whole texts"] = function()
    assert(crypto.equal("abc", "abc") and not crypto.equal("abc", "abd") and not crypto.equal("abc", "ab") and crypto.equal("", ""))
  end,

  ["a derived secret is a handle, one for each label"] = function()
    local a = crypto.derive("lookup")
    assert(type(a) == "userdata" and rawequal(a, crypto.derive("lookup")))
    assert(crypto.keyed(a, "x") ~= crypto.keyed(crypto.derive("other"), "x"))
    assert(#crypto.keyed(a, "x") == 43)
    assert(crypto.keyed(a, "x") == base64.url_encode(crypto.hmac_sha256(a, "x")))
    assert(not tostring(a):find("%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x%x"))
    assert(not pcall(crypto.derive, ""))
    assert(not pcall(crypto.keyed, "a text is no handle", "x"))
  end,

  ["sealed bytes open with the same secret and place only"] = function()
    local secret = crypto.derive("spec")
    local sealed = crypto.seal(secret, "hello", "users.token")
    assert(sealed ~= crypto.seal(secret, "hello", "users.token"))
    assert(crypto.unseal(secret, sealed, "users.token") == "hello")
    assert(crypto.unseal(secret, sealed, "users.other") == nil)
    assert(crypto.unseal(crypto.derive("spec2"), sealed, "users.token") == nil)
    assert(crypto.unseal(secret, sealed:sub(1, -2), "users.token") == nil)
    assert(crypto.unseal(secret, "", "users.token") == nil)
    assert(crypto.unseal(secret, crypto.seal(secret, "", ""), "") == "")
  end,

  ["security-cases 7: comparing takes as long wherever two texts differ"] = function()
    local same = ("a"):rep(8 << 20)
    local function least(other)
      local best = math.huge
      for _ = 1, 7 do
        local began = time.mono()
        assert(not crypto.equal(same, other))
        best = math.min(best, time.mono() - began)
      end
      return best
    end
    local first, last = least("b" .. same:sub(2)), least(same:sub(2) .. "b")
    assert(first > 0 and first > last / 2, ("%g s at the first byte, %g s at the last"):format(first, last))
  end,

  ["codecs are strict"] = function()
    assert(base64.encode("a") == "YQ==" and base64.decode("YQ==") == "a" and base64.decode("YQ") == nil)
    assert(base64.url_encode("\255\254") == "__4" and base64.url_decode("__4") == "\255\254")
    assert(base64.url_decode("__4=") == nil and base64.url_decode("__5") == nil and base64.url_decode("_ _4") == nil)
    assert(hex.encode("\0\255") == "00ff" and hex.decode("00FF") == "\0\255" and hex.decode("0") == nil and hex.decode("zz") == nil)
  end,
}
