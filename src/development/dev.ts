import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { devEnvironment } from '../config.ts';
import { startReplica, type ReplicaProcess } from '../lifecycle/replica-process.ts';
import { onStopSignal } from '../lifecycle/signals.ts';
import { migrateToLatest } from '../repository/postgres/migrate.ts';
import type { DevelopmentLog } from './development-log.ts';
import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts';
import { exampleCatalog } from './example-catalog.ts';

/** Where everything is kept, below the folder that it is started in. */
const dataFolder = '.data';

/**
 * Serves for development until SIGINT or SIGTERM, and answers the exit code. PostgreSQL and every replica are
 * processes of their own; none is left when this is over.
 */
export async function dev({ replicas: count }: { replicas: number }): Promise<number> {
  const { basePort, environment } = devEnvironment();
  const stopped = stopSignal();
  const key = await adminApiKey();
  const postgres = await startEmbeddedPostgres({
    dataFolder: path.resolve(dataFolder, 'postgres'),
    durable: true,
    log,
  });
  const replicas: ReplicaProcess[] = [];
  try {
    const url = postgres.url('holdfast');
    await migrateToLatest({ connectionString: url });
    for (let i = 0; i < count; i += 1) {
      const port = basePort === 0 ? 0 : basePort + i;
      const env = { ...environment, DATABASE_URL: url, ADMIN_API_KEY: key, PORT: String(port) };
      replicas.push(await startReplica({ entry: process.argv[1] ?? '', env }));
    }
    const urls = replicas.map((replica) => replica.url);
    await loadExampleCatalog(urls[0] ?? '', key);
    say(welcome({ urls, key, postgres }));
    const reason = await Promise.race([stopped, ...replicas.map(untimelyEnd)]);
    say(`\n${reason}: stopping`);
    return (await stopAll(replicas)) && !reason.startsWith('replica') ? 0 : 1;
  } finally {
    await stopAll(replicas);
    await postgres.stop();
  }
}

/** Made once, so that what was pasted yesterday works today. */
async function adminApiKey(): Promise<string> {
  const file = path.resolve(dataFolder, 'admin-api-key');
  await mkdir(path.dirname(file), { recursive: true });
  try {
    await writeFile(file, `hf_dev_${randomBytes(24).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  return (await readFile(file, 'utf8')).trim();
}

async function loadExampleCatalog(url: string, key: string): Promise<void> {
  for (const [collection, items] of Object.entries(exampleCatalog)) {
    for (const [id, body] of Object.entries(items)) {
      const response = await fetch(`${url}/v1/${collection}/${id}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(30_000),
      });
      if (!response.ok)
        throw new Error(`the example catalog was not taken (${collection}/${id}): ${await response.text()}`);
    }
  }
}

async function stopAll(replicas: readonly ReplicaProcess[]): Promise<boolean> {
  const ends = await Promise.all(replicas.map(async (replica) => await replica.stop()));
  return ends.every(({ code }) => code === 0);
}

async function untimelyEnd(replica: ReplicaProcess): Promise<string> {
  const { code, signal } = await replica.ended;
  return `replica ${replica.url} ended (${signal ?? `exit code ${String(code)}`})`;
}

async function stopSignal(): Promise<string> {
  return await new Promise((resolve) => {
    onStopSignal({ stop: resolve, force: () => process.exit(1) });
  });
}

function welcome({
  urls,
  key,
  postgres,
}: {
  urls: readonly string[];
  key: string;
  postgres: EmbeddedPostgres;
}): string {
  const [url = ''] = urls;
  const headers = `-H 'authorization: Bearer ${key}' -H 'content-type: application/json'`;
  return `
Holdfast is running on ${urls.join(', ')}
Documentation: ${url}/docs
PostgreSQL: port ${postgres.port}, data in ${postgres.dataFolder}
Admin API key: ${key}

Give Alice some gold, buy a sword, which earns her experience, and look at what she has:

curl -s ${url}/v1/grants ${headers} -H 'idempotency-key: welcome' -d '{"account":"alice","assets":[{"asset":"gold","quantity":100}]}'
curl -s ${url}/v1/purchases ${headers} -H 'idempotency-key: first-sword' -d '{"account":"alice","listing":"sword-sale"}'
curl -s ${url}/v1/accounts/alice/inventory ${headers}

Ctrl-C stops it.
`;
}

const log: DevelopmentLog = {
  info: (_fields, message) => {
    say(message);
  },
  warn: (_fields, message) => {
    say(message);
  },
};

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
