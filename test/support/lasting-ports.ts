import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

/** Below those that the system gives to whoever asks for any (32768 and up): nobody gets one while its replica is away. */
const portMin = 20_000;
const portMax = 29_999;
const triesMax = 100;

/** So many ports of this host that are free, for what is to be stopped and started again at the same address. */
export async function lastingPorts(count: number): Promise<readonly number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries += 1) {
    if (tries === triesMax) throw new Error(`no ${count} free ports in ${triesMax} tries`);
    const port = randomInt(portMin, portMax + 1);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.once('error', () => {
      resolve(false);
    });
    server.listen(port, '127.0.0.1', () => {
      server.close(() => {
        resolve(true);
      });
    });
  });
}
