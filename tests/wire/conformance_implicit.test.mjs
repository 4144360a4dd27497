// The suite's Implicit plan: response types id_token and id_token token.
import { runPlan } from '../harness/conformance_modules.mjs';

await runPlan('implicit', ['id_token', 'id_token token']);
