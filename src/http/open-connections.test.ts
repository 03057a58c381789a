import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { OpenConnections } from './open-connections.ts';

const server = createServer();
const connections = new OpenConnections();
connections.watch(server);
const clients: Socket[] = [];

afterEach(() => {
  for (const client of clients) client.destroy();
  server.close();
});

/** A connection, as each of the two sides has it. */
async function open(): Promise<{ client: Socket; accepted: Socket }> {
  const { port } = server.address() as AddressInfo;
  const accepting = once(server, 'connection') as Promise<[Socket]>;
  const client = connect(port, '127.0.0.1');
  clients.push(client);
  const [accepted] = await accepting;
  return { client, accepted };
}

test('waits for all connections but those that are left out, once no more can come', async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const [streaming, other] = [await open(), await open()];
  connections.leaveOut(streaming.accepted);
  const order: string[] = [];
  const finished = connections.finished().then(() => order.push('finished'));
  order.push('stops listening');
  server.close();
  const late = other.accepted;
  late.once('close', () => order.push('the other has gone'));
  other.client.destroy();
  await finished;
  expect(order).toEqual(['stops listening', 'the other has gone', 'finished']);
  expect(streaming.accepted.destroyed).toBe(false);
});

test('where none is left there is nothing to wait for', async () => {
  await expect(connections.finished()).resolves.toBeUndefined();
});
