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
