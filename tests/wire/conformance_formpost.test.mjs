// The suite's Form Post plans: every module of Basic, Implicit and Hybrid with response_mode=form_post.
import { runPlan } from '../harness/conformance_modules.mjs';

const responseMode = 'form_post';
await runPlan('basic', ['code'], { responseMode });
await runPlan('implicit', ['id_token', 'id_token token'], { responseMode });
await runPlan('hybrid', ['code id_token', 'code token', 'code id_token token'], { responseMode });
