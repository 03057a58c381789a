import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { startReplica, type ReplicaProcess, type ServingMessage } from '../src/lifecycle/replica-process.ts';
import { onStopSignal } from '../src/lifecycle/signals.ts';

/** What a service of the demonstration is given. */
export interface DemoServiceOptions {
  readonly databaseUrl: string;
  /** The bearer token of its one caller. */
  readonly apiKey: string;
}

export type DemoServiceName = 'unsafe-mutex' | 'row-lock';

const builders: Readonly<
  Record<DemoServiceName, () => Promise<(options: DemoServiceOptions) => FastifyInstance>>
> = {
  'unsafe-mutex': async () => (await import('./unsafe-mutex-service.ts')).buildUnsafeMutexService,
  'row-lock': async () => (await import('./row-lock-service.ts')).buildRowLockService,
};

/** Starts a replica of one of the demonstration's services as a process of its own, in the manner of `startReplica`. */
export async function startDemoService(
  name: DemoServiceName,
  { databaseUrl, apiKey }: DemoServiceOptions,
): Promise<ReplicaProcess> {
  const env = { ...process.env, DEMO_SERVICE: name, DATABASE_URL: databaseUrl, DEMO_API_KEY: apiKey };
  return await startReplica({ entry: import.meta.filename, env, output: 'ignore' });
}

if (import.meta.main) await serve();

/** Until SIGTERM or SIGINT, or until the process that started this one is gone. */
async function serve(): Promise<void> {
  const { DEMO_SERVICE: name = '', DATABASE_URL: databaseUrl = '', DEMO_API_KEY: apiKey = '' } = process.env;
  if (!isDemoService(name)) throw new Error(`there is no service ${name}`);
  const build = await builders[name]();
  const app = build({ databaseUrl, apiKey });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const serving: ServingMessage = { serving: `http://127.0.0.1:${port}` };
  process.send?.(serving);
  await new Promise<void>((resolve) => {
    onStopSignal({ stop: () => resolve(), force: () => process.exit(1) });
    process.once('disconnect', resolve);
  });
  await app.close();
  if (process.connected) process.disconnect();
}

function isDemoService(name: string): name is DemoServiceName {
  return name in builders;
}
