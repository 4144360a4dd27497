-- key_spec.lua: the table `key`.
return {
  ["a sealed key comes back as the same key"] = function()
    for _, alg in ipairs { "RS256", "ES256", "ES384", "ES512" } do
      local k = assert(key.generate(alg))
      assert(key.alg(k) == alg and key.is_private(k))
      local sealed = key.seal(k, "keys.1")
      local back = assert(key.open(sealed, "keys.1"))
      assert(key.thumbprint(back) == key.thumbprint(k) and key.alg(back) == alg)
      assert(key.open(sealed, "keys.2") == nil)
      assert(key.open(sealed .. "A", "keys.1") == nil and key.open("", "keys.1") == nil)
    end
  end,

  ["the public JWK shows no private number and imports"] = function()
    local k = assert(key.generate("ES256"))
    local jwk = key.jwk(k)
    assert(jwk.kty == "EC" and jwk.crv == "P-256" and jwk.alg == "ES256" and jwk.use == "sig" and jwk.kid == nil and jwk.d == nil)
    local public = assert(key.import_jwk(jwk))
    assert(key.thumbprint(public) == key.thumbprint(k) and not key.is_private(public))
    assert(not pcall(key.seal, public, "x"))
    jwk.x = jwk.y
    local none, reason = key.import_jwk(jwk)
    assert(none == nil and reason == "the point is not on the curve")
    assert(key.import_jwk { kty = "oct", k = "AAAA" } == nil)
  end,

  ["other algorithms raise"] = function()
    assert(not pcall(key.generate, "HS256") and not pcall(key.generate, "PS256") and not pcall(key.generate, "none"))
  end,

  ["certificates"] = function()
    local ca_key, server = assert(key.generate("ES256")), assert(key.generate("ES256"))
    local now = time.now()
    local names = { "login.example.org", "localhost", "127.0.0.1" }
    local ca = assert(key.make_ca { key = ca_key, names = names, not_before = now, not_after = now + 86400 })
    local cert = assert(key.make_cert { ca_pem = ca, ca_key = ca_key, key = server, names = names, not_before = now, not_after = now + 3600 })
    assert(ca:find("BEGIN CERTIFICATE", 1, true) and cert:find("BEGIN CERTIFICATE", 1, true) and ca ~= cert)
    local none, reason = key.make_ca { key = ca_key, names = { "not a name" }, not_before = now, not_after = now + 1 }
    assert(none == nil and reason == "a name is neither a host name nor an address")
    assert(key.make_cert { ca_pem = ca, ca_key = server, key = server, names = names, not_before = now, not_after = now + 1 } == nil)
    assert(not pcall(key.make_ca, { key = key.import_jwk(key.jwk(server)), names = names, not_before = now, not_after = now + 1 }))
    assert(not pcall(key.make_ca, { key = ca_key, not_before = now, not_after = now + 1 }))
  end,
}
