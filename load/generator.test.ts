import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { runLoad, type LoadRequest } from './generator.ts';
import { UnexpectedResponseError } from './response-parser.ts';

const open: { close(): unknown; closeAllConnections?(): void }[] = [];

afterEach(() => {
  for (const server of open.splice(0)) {
    server.close();
    server.closeAllConnections?.();
  }
});

type Handler = (
  request: IncomingMessage & { text: string },
  response: ServerResponse,
  server: Server,
) => void;

async function listen(server: Server | ReturnType<typeof createTcpServer>): Promise<string> {
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that answers with a length, as ours do. */
async function serve(handler: Handler): Promise<string> {
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      handler(Object.assign(request, { text }), response, server);
    });
  });
  return await listen(server);
}

function answer(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-length': Buffer.byteLength(text) }).end(text);
}

/** So many requests in all, each with a key of its own. */
function requests(count: number): () => LoadRequest | undefined {
  let sent = 0;
  return () => (sent === count ? undefined : { key: `key-${(sent += 1)}`, body: `{"n":${sent}}` });
}

const common = { path: '/v1/things', headers: { authorization: 'Bearer x' }, pauseMs: 1 };

describe('runLoad', () => {
  it('begins no more requests than it is told, and counts from when one should have been sent', async () => {
    let began = 0;
    const url = await serve((_request, response) => {
      began += 1;
      // The first is answered when the fifth should have been sent.
      if (began === 1) {
        setTimeout(() => {
          answer(response, 201, {});
        }, 100);
      } else answer(response, 201, {});
    });
    const report = await runLoad({
      ...common,
      targets: [url],
      connections: 1,
      perSecond: 40,
      next: requests(6),
    });
    expect(report.answered).toBe(6);
    // A sixth of a second at least for six: the schedule, not the server, sets the pace.
    expect(report.elapsedMs).toBeGreaterThanOrEqual(125);
    // Those that had to wait for the connection waited from their own time on.
    expect(report.latencies.quantileMs(0.5)).toBeGreaterThan(20);
  });

  it('sends every request once, at most one at a time a connection, and reports the answers', async () => {
    const seen = new Map<string, string>();
    const busy = new Set<unknown>();
    const url = await serve((request, response) => {
      expect(busy.has(request.socket)).toBe(false);
      busy.add(request.socket);
      expect([request.method, request.url, request.headers.authorization]).toEqual([
        'POST',
        '/v1/things',
        'Bearer x',
      ]);
      seen.set(String(request.headers['idempotency-key']), request.text);
      setImmediate(() => {
        busy.delete(request.socket);
        answer(response, seen.size % 10 === 0 ? 409 : 201, {});
      });
    });
    const statuses: number[] = [];
    const report = await runLoad({
      ...common,
      targets: [url],
      connections: 8,
      next: requests(500),
      onAnswer: ({ status, attempts }) => {
        expect(attempts).toBe(1);
        statuses.push(status);
      },
    });
    expect(seen.size).toBe(500);
    expect(seen.get('key-17')).toBe('{"n":17}');
    expect([report.answered, report.unanswered, report.retries, report.latencies.count]).toEqual([
      500, 0, 0, 500,
    ]);
    expect(report.answeredByStatus.get(409)).toBe(statuses.filter((status) => status === 409).length);
  });

  it('sends a request again, under its key, to the next target when the connection is lost', async () => {
    const keys: string[] = [];
    const dying = await serve((request, response, server) => {
      if (keys.push(String(request.headers['idempotency-key'])) < 5) {
        answer(response, 201, {});
        return;
      }
      server.close();
      server.closeAllConnections();
    });
    const others: string[] = [];
    const living = await serve((request, response) => {
      others.push(String(request.headers['idempotency-key']));
      answer(response, 201, {});
    });
    const report = await runLoad({
      ...common,
      targets: [dying, living],
      connections: 4,
      next: requests(200),
      attemptsMax: 5,
    });
    expect([report.answered, report.unanswered]).toEqual([200, 0]);
    expect(report.retries).toBeGreaterThan(0);
    expect(others).toContain(keys.at(-1));
  });

  it('tries a 503 that invites to it again, and gives up after so many attempts', async () => {
    let asked = 0;
    const url = await serve((request, response) => {
      asked += 1;
      const retryable = request.headers['idempotency-key'] === 'key-1';
      answer(response, 503, { code: 'busy', retryable });
    });
    const answers: [string, number, number][] = [];
    const report = await runLoad({
      ...common,
      targets: [url],
      connections: 1,
      next: requests(2),
      attemptsMax: 3,
      onAnswer: ({ request, status, attempts }) => answers.push([request.key, status, attempts]),
    });
    expect(answers).toEqual([
      ['key-1', 503, 3],
      ['key-2', 503, 1],
    ]);
    expect([asked, report.answered, report.retries]).toEqual([4, 2, 2]);
  });

  it('counts a request as unanswered when no target is there, or none answers in time', async () => {
    const silent = await listen(createTcpServer(() => undefined));
    const unanswered: string[] = [];
    const report = await runLoad({
      ...common,
      targets: ['http://127.0.0.1:1', silent],
      connections: 1,
      next: requests(1),
      attemptsMax: 2,
      timeoutMs: 150,
      onUnanswered: ({ key }, reason) => unanswered.push(`${key}: ${reason.message}`),
    });
    expect(unanswered).toEqual(['key-1: no answer within 150 ms']);
    expect([report.answered, report.unanswered, report.retries]).toEqual([0, 1, 1]);
  });

  it('opens a new connection after an answer that closes it', async () => {
    const sockets = new Set<unknown>();
    const url = await serve((request, response) => {
      sockets.add(request.socket);
      response.setHeader('connection', 'close');
      answer(response, 201, {});
    });
    const report = await runLoad({ ...common, targets: [url], connections: 1, next: requests(5) });
    expect([report.answered, report.retries, sockets.size]).toEqual([5, 0, 5]);
  });

  it('fails as a whole on an answer that it does not read', async () => {
    const url = await serve((_request, response) => response.writeHead(200).write('a chunk'));
    await expect(runLoad({ ...common, targets: [url], connections: 2, next: requests(10) })).rejects.toThrow(
      UnexpectedResponseError,
    );
  });

  it('fails with what a callback throws, and with the reason of its signal', async () => {
    const url = await serve((_request, response) => {
      answer(response, 201, {});
    });
    const thrown = new Error('not what I expected');
    const failing = runLoad({
      ...common,
      targets: [url],
      connections: 2,
      next: requests(100),
      onAnswer: () => {
        throw thrown;
      },
    });
    await expect(failing).rejects.toBe(thrown);
    const stop = new AbortController();
    const endless = runLoad({
      ...common,
      targets: [url],
      connections: 2,
      next: () => ({ key: 'k', body: '{}' }),
      onProgress: ({ answered }) => {
        if (answered > 10) stop.abort(thrown);
      },
      signal: stop.signal,
    });
    await expect(endless).rejects.toBe(thrown);
  });
});
