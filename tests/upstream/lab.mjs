// lab.mjs: every stand-in on a fixed port of loopback, registered for the broker of the lab. `make run` starts it beside the broker and
// it ends when the broker has ended. Written for the Node that Debian brings: no packages.
import { listen } from './server.mjs';
import { Entra } from './entra.mjs';
import { GitHub } from './github.mjs';
import { GitLab } from './gitlab.mjs';
import { Google } from './google.mjs';
import { Keycloak } from './oidc.mjs';
import { OAuth2 } from './oauth2.mjs';

const BROKER = process.env.TIDELOCK_LAB_URL || 'https://localhost:8443';
const at = (port) => `http://localhost:${port}`;
const same = (port, ...names) => Object.fromEntries(names.map((name) => [name, at(port)]));

const upstreams = {
	entra: [9601, new Entra({ ...same(9601, 'login', 'graph'), sts: 'https://sts.windows.net' })],
	google: [9602, new Google(same(9602, 'web', 'token', 'keys', 'userinfo'))],
	github: [9603, new GitHub(same(9603, 'web', 'api'), { enterprise: true })],
	gitlab: [9604, new GitLab(same(9604, 'web'))],
	keycloak: [9605, new Keycloak(same(9605, 'web'))],
	plain: [9606, new OAuth2(same(9606, 'web'))],
};

for (const [name, [port, upstream]] of Object.entries(upstreams)) {
	upstream.register({ client_id: 'tidelock-lab', client_secret: `${name}-secret-for-the-lab`, name: 'Tidelock (lab)', redirect_uris: [`${BROKER}/source/oauth/callback/${name}/`], multi: true, group_claims: true });
	try {
		await listen([upstream], { port });
	} catch (error) {
		console.error(`upstreams: ${name} cannot listen on ${at(port)}: ${error.code}`);
	}
}
console.error(`upstreams: ${Object.entries(upstreams).map(([name, [port]]) => `${name} ${at(port)}`).join(', ')}`);

const parent = process.ppid;
setInterval(() => { if (process.ppid !== parent) process.exit(0); }, 1000);
