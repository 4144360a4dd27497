-- json_spec.lua: the table `json`.
local function raises(fn, ...)
  local ok, message = pcall(fn, ...)
  assert(not ok, "should raise")
  return message
end

return {
  ["what is decoded is written back the same"] = function()
    for _, text in ipairs { "[]", "{}", "null", "true", "0", "-1.5", '"a"', '{"a":[],"b":{},"c":[{}],"d":null}', "[1,2,[3]]" } do
      assert(json.encode(json.decode(text)) == text, text)
    end
  end,

  ["the text decides between integer and float"] = function()
    assert(math.type(json.decode("1")) == "integer")
    assert(math.type(json.decode("1.0")) == "float")
    assert(math.type(json.decode("1e2")) == "float")
    assert(json.decode("-0") == 0)
    assert(json.decode("9007199254740992") == 1 << 53)
    assert(json.decode("9007199254740993") == nil)
  end,

  ["null is json.null"] = function()
    assert(json.decode("null") == json.null)
    assert(json.decode('{"a":null}').a == json.null)
    assert(json.encode { json.null, 1 } == "[null,1]")
  end,

  ["wrong text gives nil, a reason and an offset"] = function()
    local value, reason, offset = json.decode('{"a":1,"a":2}')
    assert(value == nil and reason == "duplicate member name" and offset == 7)
    assert(json.decode("") == nil)
    assert(json.decode('"\\u0000"') == nil)
    assert(json.decode(("["):rep(33) .. ("]"):rep(33)) == nil)
  end,

  ["members are sorted"] = function()
    assert(json.encode { b = 1, a = 2, ["aa"] = 3, ["B"] = 4 } == '{"B":4,"a":2,"aa":3,"b":1}')
  end,

  ["marks decide about empty tables and survive"] = function()
    assert(json.encode {} == "[]")
    assert(json.encode(json.object {}) == "{}")
    assert(json.encode(json.object()) == "{}")
    assert(json.encode(json.array()) == "[]")
    local t = json.decode("{}")
    t.a = 1
    assert(json.encode(t) == '{"a":1}')
    assert(json.is_array(json.decode("[]")) and not json.is_array(json.decode("{}")))
    assert(json.is_array { 1 } and not json.is_array { a = 1 } and not json.is_array("x") and not json.is_array(nil))
  end,

  ["control characters and quotes are escaped"] = function()
    assert(json.encode("a\"\\\n\1\127/") == '"a\\"\\\\\\n\\u0001\\u007f/"')
    assert(json.encode("é") == '"é"')
  end,

  ["pretty is indented"] = function()
    assert(json.encode({ a = { 1, 2 }, b = {} }, { pretty = 2 }) == '{\n  "a": [\n    1,\n    2\n  ],\n  "b": []\n}')
  end,

  ["what JSON cannot say raises"] = function()
    raises(json.encode, type)
    raises(json.encode, { 1, a = 2 })
    raises(json.encode, { [1] = 1, [3] = 3 })
    raises(json.encode, { [1.5] = 1 })
    raises(json.encode, { [true] = 1 })
    raises(json.encode, 0 / 0)
    raises(json.encode, 1 / 0)
    raises(json.encode, "\255")
    raises(json.encode, { ["\255"] = 1 })
    raises(json.encode, (1 << 53) + 1)
    raises(json.encode, json.array { a = 1 })
    raises(json.encode, json.object { 1 })
    local cycle = {}
    cycle.a = cycle
    assert(raises(json.encode, cycle):find("cycle", 1, true))
    assert(json.encode { a = 1 } == '{"a":1}') -- and the next one works
  end,

  ["an object of many members is written whole"] = function()
    local t = {}
    for i = 1, 500 do t["k" .. i] = { i, { x = i } } end
    local back = json.decode(json.encode(t))
    for i = 1, 500 do assert(back["k" .. i][1] == i and back["k" .. i][2].x == i) end
  end,
}
