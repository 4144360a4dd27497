// The suite's Basic plan: response type code; once with an issuer for each application, once with the global issuer.
import { runPlan } from '../harness/conformance_modules.mjs';

await runPlan('basic', ['code']);
await runPlan('basic', ['code'], { more: 'issuer_mode = "global",', issuer: (broker) => `${broker.url}/`, label: 'global issuer' });
