// The suite's modules once more with what an application may choose otherwise: ES256 and ES512, opaque access tokens, an issuer without
// slash, of its own or global. What certification asks must not depend on any of it.
import { runPlan } from '../harness/conformance_modules.mjs';

const bare = (broker, client) => broker.issuer(client).replace(/\/$/, '');
await runPlan('basic', ['code'], { more: 'signing_alg = "ES256", access_token = "opaque", issuer_slash = false,', issuer: bare, alg: 'ES256', label: 'ES256, opaque, no slash' });
await runPlan('hybrid', ['code id_token token'], { more: 'signing_alg = "ES512", access_token = "opaque",', alg: 'ES512', label: 'ES512, opaque' });
await runPlan('implicit', ['id_token token'], { more: 'signing_alg = "ES256", issuer_mode = "global", issuer_slash = false,', issuer: (broker) => broker.url, alg: 'ES256', label: 'ES256, global issuer without slash' });
