// The suite's Hybrid plan: response types code id_token, code token and code id_token token.
import { runPlan } from '../harness/conformance_modules.mjs';

await runPlan('hybrid', ['code id_token', 'code token', 'code id_token token']);
