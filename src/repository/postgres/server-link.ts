import { BlockList, isIPv6 } from 'node:net';
import { sql, type Kysely } from 'kysely';
import type pg from 'pg';
import type { DB } from './database-types.ts';

/** A connection as the server sees it. Behind a pooler it is the pooler's: the way to the pooler is not known here. */
export interface ServerLink {
  readonly encrypted: boolean;
  /** Both are null where it is a Unix socket. */
  readonly clientAddress: string | null;
  readonly serverAddress: string | null;
}

export async function readServerLink(db: Kysely<DB>): Promise<ServerLink> {
  const { rows } = await sql<ServerLink>`
    select coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as "encrypted",
      host(inet_client_addr()) as "clientAddress", host(inet_server_addr()) as "serverAddress"`.execute(db);
  const [link] = rows;
  if (link === undefined) throw new Error('the server does not know its own connection');
  return link;
}

/**
 * Whether a pooler is in between. It gives each client a number to cancel by, as a server does, but which is not that of a
 * server's process.
 */
export async function isPooled(client: pg.ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
  // What the other side said as it let us in; `pg` keeps it, and its types do not mention it.
  const { processID } = client as pg.ClientBase & { readonly processID: number | null };
  return processID !== rows[0]?.pid;
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8);
loopback.addAddress('::1', 'ipv6');

/** Whether what is said there, passwords and all, leaves the machine unencrypted. */
export function isExposed({ encrypted, clientAddress, serverAddress }: ServerLink): boolean {
  if (encrypted || clientAddress === null || clientAddress === serverAddress) return false;
  return !loopback.check(clientAddress, isIPv6(clientAddress) ? 'ipv6' : 'ipv4');
}
