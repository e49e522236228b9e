// A real authorization server for tests: oidc-provider, in memory, signing everybody in as `alice` at once.
//   node as.mjs MODULES        prints {"issuer": ...} when it listens on a free port of 127.0.0.1
// MODULES is the node_modules directory that has oidc-provider and jose.
import http from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(pathToFileURL(process.argv[2] + '/'));
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { Provider } = await load('oidc-provider');
const jose = await load('jose');

async function key(alg) {
  const { privateKey } = await jose.generateKeyPair(alg, { extractable: true });
  return { ...(await jose.exportJWK(privateKey)), kid: `key-${alg}`, alg, use: 'sig' };
}

const server = http.createServer((req, res) => handle(req, res));
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const ttl = Number(process.env.TOKEN_SECONDS ?? 300);

const provider = new Provider(issuer, {
  jwks: { keys: [await key('RS256'), await key('ES256')] },
  clients: [
    { client_id: 'rs', client_secret: 'rs-secret', grant_types: [], response_types: [], redirect_uris: [], token_endpoint_auth_method: 'client_secret_basic' },
    { client_id: 'device', token_endpoint_auth_method: 'none', grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'], response_types: [], redirect_uris: [] },
  ],
  scopes: ['openid', 'offline_access', 'executor'],
  claims: { openid: ['sub'] },
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  pkce: { required: () => true },
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: () => true,
  expiresWithSession: () => false,
  ttl: { AccessToken: ttl, RefreshToken: 86400, AuthorizationCode: 60, Grant: 86400, Session: 86400, Interaction: 600, IdToken: 600 },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true, initialAccessToken: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
    deviceFlow: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx, client, oneOf) => oneOf,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, indicator) => ({
        scope: 'executor', audience: indicator, accessTokenTTL: ttl,
        accessTokenFormat: process.env.TOKEN_FORMAT ?? 'jwt', jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
  extraTokenClaims: async () => ({ groups: ['dev'], org_id: 'red' }),
  interactions: { url: (ctx, interaction) => `/_login/${interaction.uid}` },
  clientDefaults: { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
});

async function login(req, res) {
  const details = await provider.interactionDetails(req, res);
  if (details.prompt.name === 'login') {
    return provider.interactionFinished(req, res, { login: { accountId: 'alice' } });
  }
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = details.prompt.details;
  const grant = details.grantId
    ? await provider.Grant.find(details.grantId)
    : new provider.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
  if (missingOIDCScope) grant.addOIDCScope(missingOIDCScope.join(' '));
  if (missingOIDCClaims) grant.addOIDCClaims(missingOIDCClaims);
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) grant.addResourceScope(resource, scopes.join(' '));
  return provider.interactionFinished(req, res, { consent: { grantId: await grant.save() } }, { mergeWithLastSubmission: true });
}

const app = provider.callback();
async function handle(req, res) {
  try {
    return req.url.startsWith('/_login/') ? await login(req, res) : await app(req, res);
  } catch (error) {
    res.statusCode = 500;
    res.end(String(error.stack));
  }
}
console.log(JSON.stringify({ issuer }));
