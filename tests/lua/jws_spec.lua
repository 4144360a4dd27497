-- jws_spec.lua: the table `jws`.
local function signed(alg, header)
  local k = assert(key.generate(alg))
  return k, assert(jws.sign(k, header or { typ = "JWT", kid = "1" }, '{"sub":"x"}'))
end

local function forged(header, payload, signature)
  return base64.url_encode(header) .. "." .. base64.url_encode(payload) .. "." .. base64.url_encode(signature)
end

return {
  ["what is signed parses and checks"] = function()
    for _, alg in ipairs { "RS256", "ES256", "ES384", "ES512" } do
      local k, token = signed(alg)
      local parsed = assert(jws.parse(token))
      assert(parsed.header.alg == alg and parsed.header.typ == "JWT" and parsed.header.kid == "1" and parsed.payload == '{"sub":"x"}')
      assert(parsed.signing_input .. "." .. base64.url_encode(parsed.signature) == token)
      local public = assert(key.import_jwk(key.jwk(k)))
      assert(jws.check(token, public, { alg }) == true)
      assert(jws.check(token, public, { alg }) == true) -- remembered
      assert(jws.check(parsed, k) == true)
      local other = assert(key.generate(alg))
      local ok, reason = jws.check(token, other, { alg })
      assert(ok == nil and reason == "the signature is wrong")
    end
  end,

  ["the header gets alg first and nothing else"] = function()
    local _, token = signed("ES256", {})
    assert(base64.url_decode(token:match("^[^.]+")) == '{"alg":"ES256"}')
    local _, second = signed("ES256", { typ = "at+jwt" })
    assert(base64.url_decode(second:match("^[^.]+")) == '{"alg":"ES256","typ":"at+jwt"}')
    assert(not pcall(signed, "ES256", { alg = "none" }))
  end,

  ["the caller's list of algorithms is law, also for remembered tokens"] = function()
    local k, token = signed("ES256")
    assert(jws.check(token, k, { "ES256" }) == true)
    assert(jws.check(token, k, { "RS256" }) == nil)
    assert(jws.check(token, k, {}) == nil)
    assert(jws.check(token, k, { "none", "HS256" }) == nil)
  end,

  ["algorithm confusion is refused"] = function()
    local k, token = signed("RS256")
    local public = assert(key.import_jwk(key.jwk(k)))
    local _, payload, signature = token:match("^([^.]+)%.([^.]+)%.([^.]+)$")
    for _, alg in ipairs { "none", "None", "nOnE", "HS256", "RS512", "PS256", "ES256", "" } do
      local header = base64.url_encode('{"alg":"' .. alg .. '"}')
      assert(jws.check(header .. "." .. payload .. "." .. signature, public, { alg, "RS256" }) == nil, alg)
      assert(jws.check(header .. "." .. payload .. ".", public, { alg, "RS256" }) == nil, alg)
    end
    local mac = crypto.hmac_sha256(key.jwk(public).n, base64.url_encode('{"alg":"HS256"}') .. "." .. payload)
    assert(jws.check(forged('{"alg":"HS256"}', '{"sub":"x"}', mac), public, { "HS256", "RS256" }) == nil)
  end,

  -- The vector of RFC 7515 A.1.
  ["RFC 7515 A.1: a shared secret opens what it signed, and nothing else does"] = function()
    local secret = base64.url_decode("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
    local token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
      .. "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    local opened = assert(jws.open_hmac(token, secret))
    assert(json.decode(opened.payload).iss == "joe" and opened.header.typ == "JWT")
    local _, reason = jws.open_hmac(token, secret .. "x")
    assert(reason == "the signature is wrong")
    assert(jws.parse(token) == nil, "and it is no token of a key")
    for index = 1, #token do
      local other = token:sub(index, index) == "A" and "B" or "A"
      assert(jws.open_hmac(token:sub(1, index - 1) .. other .. token:sub(index + 1), secret) == nil, index)
    end
    local function mac(header)
      local input = base64.url_encode(header) .. "." .. base64.url_encode("{}")
      return input .. "." .. base64.url_encode(crypto.hmac_sha256(secret, input))
    end
    assert(jws.open_hmac(mac('{"alg":"HS256"}'), secret))
    for _, header in ipairs { '{"alg":"none"}', '{"alg":"HS512"}', '{"alg":"RS256"}', "{}", "[]", '{"alg":"HS256","crit":["exp"]}', '{"alg":"HS256","b64":false}' } do
      assert(jws.open_hmac(mac(header), secret) == nil, header)
    end
    assert(jws.open_hmac(token:match("^(.*)%.[^.]*$") .. ".", secret) == nil)
    assert(not pcall(jws.open_hmac, token, ("x"):rep(31)), "RFC 7518 3.2")
    assert(jws.open_hmac(select(2, signed("ES256")), secret) == nil)
  end,

  ["malformed tokens are refused with a reason"] = function()
    for _, text in ipairs { "", "a.b.c", "e30.e30.AA", "....", forged('{"alg":"ES256","crit":["exp"]}', "{}", "x"),
      forged('{"alg":"ES256","alg":"ES256"}', "{}", "x") } do
      local parsed, reason = jws.parse(text)
      assert(parsed == nil and type(reason) == "string")
    end
    local k = assert(key.generate("ES256"))
    assert(jws.check(forged('{"alg":"ES256"}', "{}", ("\0"):rep(64)), k, { "ES256" }) == nil)
    assert(jws.check(forged('{"alg":"ES256"}', "{}", ("\1"):rep(63)), k, { "ES256" }) == nil)
  end,

  ["a public key signs nothing, and not with a foreign algorithm"] = function()
    local k = assert(key.generate("ES256"))
    assert(not pcall(jws.sign, key.import_jwk(key.jwk(k)), {}, "{}"))
    assert(not pcall(jws.sign, k, {}, "{}", "RS256"))
    assert(jws.sign(k, {}, "{}", "ES256"))
  end,

  ["many signatures at once"] = function()
    local k = assert(key.generate("ES256"))
    local function one() return (assert(jws.sign(k, {}, "{}"))) end
    local a, b, c = task.all { one, one, one }
    assert(a == b and b == c) -- RFC 6979: the same text has the same signature
  end,
}
