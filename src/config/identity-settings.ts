import { optional, required, SettingFault, type Environment, type Setting } from './setting.ts';

/** Who may call. */
export const identitySettings = {
  ADMIN_API_KEY: required(
    'text',
    {
      description: 'The bearer token with the role admin. In production at least 32 characters.',
      secret: true,
    },
    adminApiKey,
  ),
  JWT_SECRET: optional(
    'text',
    {
      description:
        'The secret, shared with who signs them, that player tokens are verified with (HS256). At least 32 characters.',
      secret: true,
    },
    jwtSecret,
  ),
  JWT_JWKS: optional(
    'file or https:// URL',
    {
      description:
        'Where the public keys are that player tokens are verified with: a JSON Web Key Set. A file is read at the start, a URL fetched when needed.',
    },
    jwksPlace,
  ),
  JWT_ISSUER: optional(
    'text',
    { description: 'The issuer (`iss`) that player tokens must name. Required with JWT_SECRET or JWT_JWKS.' },
    (value) => value,
  ),
  JWT_AUDIENCE: optional(
    'text',
    {
      description: 'The audience (`aud`) that player tokens must name. Required with JWT_SECRET or JWT_JWKS.',
    },
    (value) => value,
  ),
} satisfies Record<string, Setting<unknown>>;

function adminApiKey(value: string, environment: Environment): string {
  if (/\s/.test(value)) throw new SettingFault('must not hold white space');
  if (environment === 'production') {
    if (value.length < 32) throw new SettingFault('must have at least 32 characters in production');
    refuseExample(value);
  }
  return value;
}

function jwtSecret(value: string, environment: Environment): string {
  if (value.length < 32) throw new SettingFault('must have at least 32 characters');
  if (environment === 'production') refuseExample(value);
  return value;
}

/** What stands in examples, in templates, and in what `dev` prints is known to everyone. */
const exampleSecrets =
  /change.?(me|this)|replace.?(me|this|with)|example|your.?(secret|key)|hf_dev_|placeholder|<[^>]*>/i;

function refuseExample(value: string): void {
  if (exampleSecrets.test(value))
    throw new SettingFault('looks like an example; make one, for instance with `openssl rand -hex 32`');
}

function jwksPlace(value: string): string {
  const url = /^[a-z]+:\/\//i.test(value) ? URL.parse(value) : undefined;
  if (url === undefined) return value;
  const loopback = url !== null && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname);
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && loopback)) return value;
  throw new SettingFault('must be the path of a file, an https:// URL, or an http:// one on this host');
}
