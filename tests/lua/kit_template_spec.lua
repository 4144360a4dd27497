local template = require "kit/template"

local function render(text, values)
	return template.run(template.parse(text, "test"), values or {})
end

local function refused(text, words)
	local ok, why = pcall(template.parse, text, "page.html")
	assert(not ok and tostring(why):find(words, 1, true), "not refused: " .. text .. ": " .. tostring(why))
end

return {
	["values are escaped, in text and in attributes"] = function()
		assert(render('<a title="{{ x }}">', { x = [[<&"'>]] }) == '<a title="&lt;&amp;&quot;&#39;&gt;">')
	end,
	["a value made safe is printed as it stands"] = function()
		assert(render("{{ x }}", { x = template.safe("<b>") }) == "<b>")
	end,
	["an absent value prints nothing, at any depth"] = function()
		assert(render("[{{ a }}{{ a.b.c }}]") == "[]")
	end,
	["conditions take the first branch that holds"] = function()
		local text = '{% if a %}one{% elseif not b %}no b{% else %}else{% end %}'
		assert(render(text, { a = "1" }) == "one")
		assert(render(text, {}) == "no b")
		assert(render(text, { b = "x" }) == "else")
	end,
	["empty texts and empty lists do not hold"] = function()
		assert(render("{% if a %}x{% elseif b %}y{% end %}", { a = "", b = {} }) == "")
	end,
	["loops know their place, and see the values around them"] = function()
		local text = "{% for g in groups %}{{ loop.index }}{{ g.name }}{{ tail }}{% if not loop.last %},{% end %}{% end %}"
		assert(render(text, { groups = { { name = "a" }, { name = "b" } }, tail = "!" }) == "1a!,2b!")
	end,
	["a script in a value cannot become a block"] = function()
		assert(render("{{ x }}", { x = "{{ y }}{% if %}" }) == "{{ y }}{% if %}")
	end,
	["what is wrong in a template is told with its name"] = function()
		refused("{% if a %}", "page.html: end expected")
		refused("{% end %}", "out of place")
		refused("{{ a b }}", "out of place")
		refused("{% if a == b %}{% end %}", "out of place")
		refused("{{ a..b }}", "out of place")
		refused("{% for x %}{% end %}", "for NAME in LIST")
		refused("{{ a", "never closed")
	end,
}
