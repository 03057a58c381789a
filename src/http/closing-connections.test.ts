import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { fastify } from 'fastify';
import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { Gate } from '../../test/support/gate.ts';
import { useClosingConnections } from './closing-connections.ts';

test('a connection on which no request has come ends with the app; one with a request under way does after it', async () => {
  const app = fastify().withTypeProvider<TypeBoxTypeProvider>();
  let stopping = false;
  useClosingConnections(app, { stopping: () => stopping });
  const [asked, answer] = [new Gate(), new Gate()];
  app.get('/', async () => {
    asked.open();
    await answer.opened;
    return 'done';
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const unused = connect(port, '127.0.0.1').resume();
  await once(unused, 'connect');
  const underWay = fetch(`http://127.0.0.1:${port}/`);
  await asked.opened;

  stopping = true;
  const ended = once(unused, 'close');
  const closed = app.close();
  await ended;
  answer.open();
  const answered = await underWay;
  expect(answered.headers.get('connection')).toBe('close');
  expect(await answered.text()).toBe('done');
  await closed;
});

test('from when the stop begins, each answer tells its client to use another connection next', async () => {
  const app = fastify().withTypeProvider<TypeBoxTypeProvider>();
  let stopping = false;
  useClosingConnections(app, { stopping: () => stopping });
  app.get('/', () => 'done');
  expect((await app.inject('/')).headers['connection']).toBe('keep-alive');
  stopping = true;
  expect((await app.inject('/')).headers['connection']).toBe('close');
  await app.close();
});

test('a request that comes over a connection that was opened before the stop is answered', async () => {
  const app = fastify({ return503OnClosing: false }).withTypeProvider<TypeBoxTypeProvider>();
  let stopping = false;
  useClosingConnections(app, { stopping: () => stopping });
  app.get('/', () => 'done');
  const preClosed = new Gate();
  app.addHook('preClose', (done) => {
    preClosed.open();
    done();
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const accepted = once(app.server, 'connection');
  const late = connect(port, '127.0.0.1');
  let answer = '';
  late.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  await accepted;
  stopping = true;
  const closed = app.close();
  await preClosed.opened;
  const ended = once(late, 'close');
  late.write('GET / HTTP/1.1\r\nhost: a\r\n\r\n');
  await ended;
  expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  expect(answer).toMatch(/\r\nconnection: close\r\n/i);
  await closed;
});
