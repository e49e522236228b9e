// One client of the TypeScript SDK: signs in with discovery, registration and PKCE, then calls `execute` once.
//   node client.mjs MODULES 1|2 URL      prints {"text": ..., "scope": ..., "resource": ...}
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [, , modules, version, url] = process.argv;
const require = createRequire(pathToFileURL(modules + '/'));
const load = (name) => import(pathToFileURL(modules + '/' + name).href);
const sdk = '@modelcontextprotocol/sdk/dist/esm/client';
const one = version === '1';
const { Client } = await load(one ? `${sdk}/index.js` : '@modelcontextprotocol/client/dist/index.mjs');
const { StreamableHTTPClientTransport } = await load(one ? `${sdk}/streamableHttp.js` : '@modelcontextprotocol/client/dist/index.mjs');

// The browser: follows redirects with its cookies until it would leave for the client's own callback.
async function browse(start, stop) {
  const jar = new Map();
  let at = String(start);
  for (let hop = 0; hop < 20; hop++) {
    if (at.startsWith(stop)) return new URL(at).searchParams;
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await fetch(at, { redirect: 'manual', headers: cookie ? { cookie } : {} });
    for (const set of answer.headers.getSetCookie()) {
      const [name, ...rest] = set.split(';')[0].split('=');
      jar.set(name, rest.join('='));
    }
    const next = answer.headers.get('location');
    if (!next) throw new Error(`no redirect from ${at}: ${answer.status} ${await answer.text()}`);
    at = new URL(next, at).href;
  }
  throw new Error('too many redirects');
}

const callback = 'http://127.0.0.1:1/callback';
const seen = {};
const kept = {};
const provider = {
  redirectUrl: callback,
  clientMetadata: {
    client_name: 'test', redirect_uris: [callback], grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'], token_endpoint_auth_method: 'none', scope: 'executor',
  },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => { kept.client = client; },
  tokens: () => kept.tokens,
  saveTokens: (tokens) => { kept.tokens = tokens; },
  redirectToAuthorization: async (to) => {
    seen.scope = to.searchParams.get('scope');
    seen.resource = to.searchParams.get('resource');
    kept.back = await browse(to, callback);
  },
  saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
  codeVerifier: () => kept.verifier,
  state: () => 'state-of-the-test',
};

const open = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
let client = new Client({ name: 'test', version: '1' });
const first = open();
try {
  await client.connect(first);
} catch (error) {
  if (!kept.back) throw error;
  await first.finishAuth(one ? kept.back.get('code') : kept.back);
  client = new Client({ name: 'test', version: '1' });
  await client.connect(open());
}
const result = await client.callTool({ name: 'execute', arguments: { code: 'return 6 * 7' } });
console.log(JSON.stringify({ text: result.content[0].text, account: result.structuredContent?.accountId, ...seen }));
await client.close();
process.exit(0);
