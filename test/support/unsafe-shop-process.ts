import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import pg from 'pg';

/**
 * The negative control: one instance of a service that reads a balance, thinks, and writes it back, without a lock.
 * A process of its own, run with `fork`: its first argument is the database's URL; it tells its parent its own.
 *
 * `POST /increments {account}` answers 201 when one was added.
 */
const [databaseUrl] = process.argv.slice(2);
if (databaseUrl === undefined) throw new Error('usage: unsafe-shop-process.ts <database URL>');
process.on('disconnect', () => process.exit());

const pool = new pg.Pool({ connectionString: databaseUrl, max: 8 });
await pool.query(
  'create table if not exists unsafe_balances (account text primary key, balance bigint not null)',
);

const server = createServer((request, response) => {
  increment(request).then(
    () => response.writeHead(201).end('{}'),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
});

async function increment(request: IncomingMessage): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { account } = JSON.parse(Buffer.concat(chunks).toString()) as { account: string };
  const { rows } = await pool.query<{ balance: string }>(
    'select balance from unsafe_balances where account = $1',
    [account],
  );
  const balance = Number(rows[0]?.balance ?? 0);
  const upsert = `insert into unsafe_balances values ($1, $2) on conflict (account) do update set balance = excluded.balance`;
  await pool.query(upsert, [account, balance + 1]);
}

server.listen(0, '127.0.0.1', () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
});
process.once('message', () => {
  server.close();
  server.closeAllConnections();
  pool.end().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
