-- Open Telekom Cloud signs its users in with Tidelock. Include this file in your configuration:
--   include "examples/otc/cloud.lua"
-- README.md beside it goes through the cloud's console, step by step.
group "github-users" {}

-- What the cloud would make of somebody: the very rules that are pasted there. Who it would refuse is told here.
conversion_rules "otc" { dialect = "otc", rules = "rules.json" }

application "otc" {
  name             = "Open Telekom Cloud",
  client_type      = "public",                    -- the cloud never uses a secret
  client_id        = "otc",
  redirect_uris    = { env("CLOUD", "https://auth.otc.t-systems.com") .. "/authui/oidc/post" },
  response_types   = { "id_token" },              -- the cloud asks for nothing else
  scopes           = { "openid", "email", "profile", "groups" },
  id_token_claims  = { "email", "groups" },       -- its rules read these, also when it does not ask for the scope groups
  consent          = "implicit",                  -- it is our own cloud
  conversion_rules = "otc",
}
