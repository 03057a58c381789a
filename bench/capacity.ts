import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runLoad } from '../load/generator.ts';
import { startHoldfast } from '../load/holdfast-service.ts';
import { listenForInterruption } from '../load/interruption.ts';
import { accountNames, type Shop } from '../load/shop.ts';
import { execute, select, startThrowawayPostgres } from '../load/throwaway-postgres.ts';

/**
 * What purchases leave on disk, and how long a verification of them takes: the figures of PRODUCTION.md, "Capacity".
 * Prints one line a table and index, per purchase, after so many purchases by a thousand accounts with keys of 36 characters.
 */
const { values } = parseArgs({ options: { purchases: { type: 'string', default: '200000' } } });
const purchases = Number(values.purchases);
if (!(purchases >= 1000 && purchases <= 100_000_000))
  throw new Error('--purchases is from 1000 to 100000000');

const entry = path.resolve(import.meta.dirname, '../src/main.ts');
const connections = 64;
const plenty = 1_000_000_000;
const shop: Shop = { accounts: accountNames(1000), gold: plenty, price: 10, stock: plenty };
const quiet = { info: () => undefined, warn: () => undefined };

const { signal, stopListening } = listenForInterruption();
const postgres = await startThrowawayPostgres({ purpose: 'capacity', log: quiet });
try {
  const databaseUrl = await postgres.createDatabase('holdfast_capacity');
  const service = await startHoldfast({ entry, databaseUrl, replicas: 1, shop });
  try {
    const before = await written(databaseUrl);
    const { answered, elapsedMs } = await runLoad({
      targets: service.replicas.map(({ url }) => url),
      connections,
      path: '/v1/purchases',
      headers: service.headers,
      next: purchasesOf(purchases),
      signal,
    });
    const wal = (await written(databaseUrl)) - before;
    say(`${answered} purchases, ${Math.round(answered / (elapsedMs / 1000))} a second`);
    await execute(databaseUrl, 'analyze');
    let all = 0;
    for (const { name, kind, bytes } of await sizes(databaseUrl)) {
      const each = Number(bytes) / answered;
      all += each;
      if (each >= 0.5) say(`${each.toFixed(0).padStart(6)} bytes  ${String(kind)} ${String(name)}`);
    }
    say(`${all.toFixed(0).padStart(6)} bytes on disk for each purchase`);
    say(`${(wal / answered).toFixed(0).padStart(6)} bytes of WAL for each purchase`);
    say(`${await peakMemoryMiB(service.replicas[0]?.pid ?? 0)} MiB of memory at most in the replica`);
    await verify(service.replicas[0]?.url ?? '', service.headers);
  } finally {
    await service.stop();
  }
} finally {
  await postgres.remove();
  stopListening();
}

function purchasesOf(count: number): () => { key: string; body: string } | undefined {
  let sent = 0;
  return () => {
    if (sent === count) return undefined;
    sent += 1;
    const account = shop.accounts[Math.floor(Math.random() * shop.accounts.length)];
    return {
      key: crypto.randomUUID(),
      body: JSON.stringify({ account, listing: 'potion' }),
    };
  };
}

/** Bytes of WAL since the server was made. */
async function written(databaseUrl: string): Promise<number> {
  const [row] = await select(databaseUrl, `select (pg_current_wal_insert_lsn() - '0/0')::float8 as bytes`);
  return Number(row?.['bytes']);
}

/** Tables with what belongs to them but for their indexes, and each index. */
async function sizes(databaseUrl: string): Promise<readonly Record<string, unknown>[]> {
  return await select(
    databaseUrl,
    `select relname as name, case relkind when 'i' then 'index' else 'rows of' end as kind,
       case relkind when 'i' then pg_relation_size(oid) else pg_table_size(oid) end::float8 as bytes
     from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'i')
     order by bytes desc`,
  );
}

/** proc(5), Linux alone. */
async function peakMemoryMiB(pid: number): Promise<string> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kiB = Number(/^VmHWM:\s*(\d+) kB$/m.exec(status)?.[1]);
  return (kiB / 1024).toFixed(0).padStart(6);
}

async function verify(url: string, headers: Readonly<Record<string, string>>): Promise<void> {
  const beganMs = performance.now();
  const response = await fetch(`${url}/v1/verifications`, { method: 'POST', headers });
  const { sound } = (await response.json()) as { sound?: boolean };
  const seconds = (performance.now() - beganMs) / 1000;
  if (sound !== true)
    throw new Error(`the verification was answered ${response.status}, sound: ${String(sound)}`);
  say(
    `${((seconds / purchases) * 1_000_000).toFixed(0).padStart(6)} s for a verification of a million operations (${seconds.toFixed(1)} s here)`,
  );
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
