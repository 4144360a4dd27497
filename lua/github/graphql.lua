-- github/graphql.lua: GitHub's GraphQL interface as an endpoint. Most installations are never asked: the language and the schema are
-- loaded when the first one asks. GitHub refuses a GET too.
local answer = require "github/answer"

return { POST = function(req) return require "github/graphql/answer" (req) end, OPTIONS = answer.preflight, kind = "github" }
