import { connect, type Socket } from 'node:net';

/** An HTTP answer read off a socket. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const waitMsMax = 10_000;

/** A connection that sends bytes as they are, for what no HTTP client would send. */
export class RawConnection {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  #ended = false;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#socket = connect({ host: hostname, port: Number(port) });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    this.#socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    // A reset after the answer is the server's right; that none came is found out by who waits for it.
    this.#socket.on('error', end);
    this.#socket.on('close', end);
  }

  /** What has come and was not taken as an answer. */
  get received(): string {
    return this.#received.toString('utf8');
  }

  write(bytes: string | Buffer): void {
    this.#socket.write(bytes);
  }

  /** Says that nothing more will be sent. */
  end(): void {
    this.#socket.end();
  }

  /** Cuts the connection, as a client does that vanishes. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** The next answer, in the order of the requests. Null: the connection ended without one. */
  async answer(): Promise<RawAnswer | null> {
    const endsAtMs = performance.now() + waitMsMax;
    for (;;) {
      const parsed = parse(this.#received);
      if (parsed !== null) {
        this.#received = this.#received.subarray(parsed.length);
        return parsed.answer;
      }
      if (this.#ended) return null;
      if (performance.now() > endsAtMs) throw new Error(`no answer within ${waitMsMax} ms`);
      await this.#next();
    }
  }

  async #next(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMsMax);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** One exchange over a connection of its own. */
export async function exchange(url: string, bytes: string | Buffer): Promise<RawAnswer | null> {
  const connection = new RawConnection(url);
  try {
    connection.write(bytes);
    return await connection.answer();
  } finally {
    connection.destroy();
  }
}

function parse(received: Buffer): { answer: RawAnswer; length: number } | null {
  const headEnd = received.indexOf('\r\n\r\n');
  if (headEnd < 0) return null;
  const [statusLine = '', ...fields] = received.subarray(0, headEnd).toString('latin1').split('\r\n');
  const headers = Object.fromEntries(
    fields.map((field) => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()];
    }),
  );
  const status = Number(/^HTTP\/1\.1 ([0-9]{3}) /.exec(`${statusLine} `)?.[1]);
  const start = headEnd + 4;
  const rest = received.subarray(start);
  const body =
    headers['transfer-encoding'] === 'chunked'
      ? dechunk(rest)
      : withLength(rest, Number(headers['content-length'] ?? 0));
  if (body === null) return null;
  return { answer: { status, headers, body: body.text }, length: start + body.length };
}

/** A body, and how many bytes it took. Null: not all of it is there. */
type RawBody = { readonly text: string; readonly length: number } | null;

function withLength(bytes: Buffer, length: number): RawBody {
  return bytes.length < length ? null : { text: bytes.toString('utf8', 0, length), length };
}

function dechunk(bytes: Buffer): RawBody {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const end = lineEnd + 2 + size + 2;
    if (bytes.length < end) return null;
    if (size === 0) return { text: Buffer.concat(chunks).toString('utf8'), length: end };
    chunks.push(bytes.subarray(lineEnd + 2, end - 2));
    at = end;
  }
}
