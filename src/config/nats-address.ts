/** Where the broker is, and what is shown to it. */
export interface NatsAddress {
  /** `host` or `host:port` each, servers of one cluster. */
  readonly servers: readonly string[];
  /** Never in the clear. Without it, TLS is used where the server asks for it. */
  readonly tls: boolean;
  readonly credentials:
    | { readonly user: string; readonly pass: string }
    | { readonly token: string }
    | Readonly<Record<string, never>>;
}

/**
 * Reads servers separated by commas, such as `nats://user:password@one:4222,nats://two:4222`, or `tls://token@one`. Null
 * unless all of them are that, and name the same credentials or none.
 */
export function parseNatsUrl(text: string): NatsAddress | null {
  const urls = text.split(',').map((server) => URL.parse(server.trim()));
  const servers: URL[] = [];
  for (const url of urls) {
    if (url === null || !/^(nats|tls):$/.test(url.protocol) || url.host === '') return null;
    if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') return null;
    if (url.username === '' && url.password !== '') return null;
    servers.push(url);
  }
  const named = servers.filter(({ username, password }) => `${username}${password}` !== '');
  const [first] = named;
  const differs = ({ username, password }: URL): boolean =>
    username !== first?.username || password !== first.password;
  if (named.some(differs)) return null;
  return {
    servers: servers.map(({ host }) => host),
    tls: servers.some(({ protocol }) => protocol === 'tls:'),
    credentials: first === undefined ? {} : credentialsIn(first),
  };
}

function credentialsIn({ username, password }: URL): NatsAddress['credentials'] {
  if (password === '') return { token: decodeURIComponent(username) };
  return { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
}
