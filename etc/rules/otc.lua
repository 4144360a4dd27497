-- The rules of otc.json in Lua: conversion_rules "otc" { script = "rules/otc.lua" }.
local member = false
for _, group in ipairs(claims.groups or {}) do member = member or group == "github-users" end
if not member or not claims.email then return nil end
return { user = "fidp-" .. claims.email, groups = { "ecs-admin" } }
