import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { replicaPorts } from './balanced-replicas.ts';
import { HttpClient, type HttpAnswer } from './http-client.ts';
import { ScriptedReplica } from './scripted-replica.ts';
import { until } from './until.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const cut: Answer = (request) => {
  request.socket.destroy();
};
const accept: Answer = (_request, response) => {
  response.writeHead(201, { 'content-type': 'application/json' }).end('{"id":"1"}');
};

/**
 * What a load balancer does when no answer comes: the replicas' ports are made free, and scripted ones take their
 * place, which count what they are sent.
 */
export function scriptedReplicaTests(url: string, { free }: { free: () => Promise<void> }): void {
  describe('when no answer comes', () => {
    const answers = new Map<number, Answer>();
    const replicas: ScriptedReplica[] = [];
    let client: HttpClient;

    beforeAll(async () => {
      await free();
      client = new HttpClient(url);
    });

    beforeEach(async () => {
      answers.clear();
      for (const port of replicaPorts)
        replicas.push(
          await ScriptedReplica.on(port, (request, response) => {
            (answers.get(port) ?? accept)(request, response);
          }),
        );
      await until('all of them are sent requests', async () => {
        // Connections to those of the test before may have to be found closed first.
        await client.send({ method: 'GET', path: '/hello' }).catch(() => undefined);
        return replicas.every(({ asked }) => asked.length > 0);
      });
      for (const replica of replicas) replica.asked.length = 0;
    });

    afterEach(async () => {
      await Promise.all(replicas.splice(0).map(async (replica) => await replica.close()));
    });

    afterAll(() => {
      client.close();
    });

    const everywhere = (answer: Answer): void => {
      for (const port of replicaPorts) answers.set(port, answer);
    };
    const asked = (): string[] => replicas.flatMap((replica) => replica.asked);
    // Over a connection of its own: on one that has been used before, HAProxy hangs up where it has no answer to pass on.
    const post = async (path: string, key?: string): Promise<HttpAnswer> => {
      const once = new HttpClient(url);
      try {
        return await once.send({
          method: 'POST',
          path,
          headers: { 'content-type': 'application/json', 'idempotency-key': key },
          body: '{}',
        });
      } finally {
        once.close();
      }
    };

    test('a POST without a key is sent once, and its sender is told that nobody knows, and not to try again', async () => {
      everywhere(cut);
      const answer = await post('/v1/purchases?dryRun=false');
      expect(asked()).toEqual(['POST /v1/purchases?dryRun=false']);
      expect(answer.status).toBe(503);
      expect(answer.headers['content-type']).toBe('application/problem+json');
      expect(answer.headers['retry-after']).toBeUndefined();
      expect(JSON.parse(answer.bytes.toString())).toEqual({
        type: '/docs/errors#outcome_unknown',
        title: 'Outcome unknown',
        status: 503,
        code: 'outcome_unknown',
        detail:
          'no replica has answered; with an Idempotency-Key, send the same request again to learn its outcome',
        instance: '/v1/purchases',
        requestId: answer.headers['x-request-id'],
        retryable: false,
      });
    });

    test('one with a key is sent to the next, under the same key', async () => {
      answers.set(replicaPorts[0], cut);
      for (let i = 0; i < 12; i += 1)
        expect(await post('/v1/purchases', `order-${i}`)).toMatchObject({ status: 201 });
      const keys = asked().map((line) => line.split(' ')[2]);
      // Of those that came to the first, each came to another as well, and none more often.
      expect(keys.length).toBe(12 + (replicas[0]?.asked.length ?? 0));
      expect(replicas[0]?.asked.length).toBeGreaterThan(0);
      expect(new Set(keys).size).toBe(12);
    });

    test('where nobody answers it, its sender is told that nobody knows, and to try again', async () => {
      everywhere(cut);
      const answer = await post('/v1/purchases', 'order');
      expect(new Set(asked())).toEqual(new Set(['POST /v1/purchases order']));
      expect(asked().length).toBeGreaterThan(1);
      expect(asked().length).toBeLessThan(6);
      expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
      expect(JSON.parse(answer.bytes.toString())).toMatchObject({ code: 'outcome_unknown', retryable: true });
    });

    test.each(['/v1/api-keys', '/v1/webhooks', '/v1/webhooks/1/rotate-secret', '/v1/verifications'])(
      'a POST to %s is sent once, whatever headers it has',
      async (path) => {
        everywhere(cut);
        const answer = await post(path, 'key');
        expect(answer.status).toBe(503);
        expect(asked()).toEqual([`POST ${path} key`]);
        expect(JSON.parse(answer.bytes.toString())).toMatchObject({
          code: 'outcome_unknown',
          retryable: false,
        });
      },
    );

    test('what says the same when repeated is repeated', async () => {
      answers.set(replicaPorts[0], cut);
      answers.set(replicaPorts[1], cut);
      for (const method of ['GET', 'PUT'])
        for (let i = 0; i < 6; i += 1)
          expect(await client.send({ method, path: `/v1/${method}/${i}` })).toMatchObject({ status: 201 });
      expect(replicas[2]?.asked).toHaveLength(12);
      expect(asked().length).toBeGreaterThan(12);
    });

    test('a POST whose connection is refused is sent elsewhere, with a key or without', async () => {
      await replicas.shift()?.close();
      for (let i = 0; i < 30; i += 1) {
        const answer = await post(`/v1/purchases/${i}`, i % 2 === 0 ? undefined : 'key');
        expect(answer).toMatchObject({ status: 201 });
      }
      expect(asked()).toHaveLength(30);
    });

    test('an answer is passed on, whatever it says', async () => {
      everywhere((_request, response) => {
        response.writeHead(503, { 'retry-after': '7', 'x-request-id': 'mine' }).end('{"code":"busy"}');
      });
      for (const key of [undefined, 'key']) {
        const answer = await post('/v1/purchases', key);
        expect(answer).toMatchObject({
          status: 503,
          headers: { 'retry-after': '7', 'x-request-id': 'mine' },
        });
        expect(answer.bytes.toString()).toBe('{"code":"busy"}');
      }
      expect(asked().sort()).toEqual(['POST /v1/purchases', 'POST /v1/purchases key']);
    });

    test('where no replica is, its sender is told so in the form of every error, and to try again: nothing was sent', async () => {
      await Promise.all(replicas.splice(0).map(async (replica) => await replica.close()));
      for (const key of [undefined, 'order']) {
        const answer = await post('/v1/purchases', key);
        expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
        expect(JSON.parse(answer.bytes.toString())).toMatchObject({
          code: 'outcome_unknown',
          instance: '/v1/purchases',
          retryable: true,
        });
      }
    });

    test('an event is there before the stream has ended', async () => {
      const ends: (() => void)[] = [];
      everywhere((_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write('id: 1\nevent: operation\ndata: {}\n\n');
        ends.push(() => response.end());
      });
      const response = await fetch(`${url}/v1/operations/stream`);
      const reader = response.body?.getReader();
      const first = await reader?.read();
      expect(Buffer.from(first?.value ?? []).toString()).toBe('id: 1\nevent: operation\ndata: {}\n\n');
      expect(ends).toHaveLength(1);
      ends[0]?.();
      expect(await reader?.read()).toMatchObject({ done: true });
    });
  });
}
