-- The configuration inside the container image. Mount your own over it, or put more files into the data volume:
-- they are read as well. Set TIDELOCK_PUBLIC_URL to the address that browsers and applications use, and TIDELOCK_LISTEN
-- where 8443 is taken.

public_url = env "TIDELOCK_PUBLIC_URL"
listen     = { env("TIDELOCK_LISTEN", "https://*:8443") }
data       = "/data"

include "/data/conf.d/*.lua"
