-- kit/reserved.lua: what no user can be called (S11): words of our routes, and authentik's accounts that are none.
return {
	signin = true, signout = true, consent = true, device = true, setup = true, lab = true, static = true, application = true,
	login = true, api = true, source = true, healthz = true, readyz = true, metrics = true, authentication = true,
	anonymous = true,
}
