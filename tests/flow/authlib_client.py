"""A client with Debian's python3-authlib. Reads lines of JSON, { "issuer", "client_id", "secret", "redirect_uri", "alg", "response_type" };
answers each with the address to send the person to, reads the address that the person came back with, and prints what it learnt."""
import json
import sys
from urllib.parse import parse_qs, urlparse

from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, JsonWebToken
from authlib.oidc.core import CodeIDToken, HybridIDToken, ImplicitIDToken


def say(value):
    print(json.dumps(value), flush=True)


def lines():
    while line := sys.stdin.readline():
        yield json.loads(line)


def id_token(asked, keys, text, kind, **known):
    """The claims, with iss, aud, exp, nonce, at_hash and c_hash looked at, and the algorithm insisted on."""
    known.update(client_id=asked["client_id"], response_type=asked["response_type"])
    options = {"iss": {"essential": True, "value": asked["issuer"]}, "aud": {"essential": True, "value": asked["client_id"]}}
    claims = JsonWebToken([asked["alg"]]).decode(text, keys, claims_cls=kind, claims_options=options, claims_params=known)
    claims.validate()
    return claims


def spend(asked, session, metadata, keys, code, extra, nonce):
    """What a code is good for: tokens, userinfo, a refresh, introspection, revocation."""
    token = session.fetch_token(metadata["token_endpoint"], grant_type="authorization_code", code=code, **extra)
    claims = id_token(asked, keys, token["id_token"], CodeIDToken, nonce=nonce, access_token=token["access_token"])
    person = session.get(metadata["userinfo_endpoint"]).json()
    renewed = session.refresh_token(metadata["token_endpoint"])
    introspection = metadata["introspection_endpoint"]
    active = session.introspect_token(introspection, token=renewed["access_token"]).json()["active"]
    session.revoke_token(metadata["revocation_endpoint"], token=renewed["refresh_token"], token_type_hint="refresh_token")
    gone = session.introspect_token(introspection, token=renewed["access_token"]).json()["active"]
    return {"same": person["sub"] == claims["sub"], "email": person["email"], "rotated": renewed["refresh_token"] != token["refresh_token"],
            "active": active, "active_after_revocation": gone}


def run(asked, answers):
    kind = asked["response_type"]
    scope = "openid email" + (" offline_access" if "code" in kind.split() else "")
    # Authlib sends a challenge with response_type=code only.
    method = "S256" if kind == "code" else None
    with OAuth2Session(asked["client_id"], asked["secret"], scope=scope, redirect_uri=asked["redirect_uri"],
                       code_challenge_method=method) as session:
        return sign_in(asked, answers, session, {"code_verifier": generate_token(48)} if method else {})


def sign_in(asked, answers, session, extra):
    kind, nonce = asked["response_type"], generate_token(20)
    coded = "code" in kind.split()
    metadata = session.get(asked["issuer"] + ".well-known/openid-configuration", withhold_token=True).json()
    keys = JsonWebKey.import_key_set(session.get(metadata["jwks_uri"], withhold_token=True).json())
    address, state = session.create_authorization_url(metadata["authorization_endpoint"], response_type=kind, nonce=nonce, **extra)
    say(address)
    back = urlparse(next(answers))
    told = {name: values[0] for name, values in parse_qs(back.query if kind == "code" else back.fragment).items()}
    out = {"state": told["state"] == state, "iss": told["iss"], "names": sorted(told)}
    if "id_token" in told:
        claims = id_token(asked, keys, told["id_token"], HybridIDToken if coded else ImplicitIDToken, nonce=nonce,
                          code=told.get("code"), access_token=told.get("access_token"))
        out["front"] = claims["sub"]
    if coded:
        out.update(spend(asked, session, metadata, keys, told["code"], extra, nonce))
    return out


given = lines()
for one in given:
    say(run(one, given))
