/** An answer of a server. Its body lies in the connection's own buffer: copy what is to outlive the call it came with. */
export interface HttpResponse {
  readonly status: number;
  readonly body: Buffer;
  /** The server closes the connection after this answer. */
  readonly closes: boolean;
}

/** A server answered something that this client does not read: its figures would be wrong from here on. */
export class UnexpectedResponseError extends Error {
  override name = 'UnexpectedResponseError';
}

const headBytesMax = 16 * 1024;
const bodyBytesMax = 4 * 1024 * 1024;
const endOfHead = Buffer.from('\r\n\r\n');

/**
 * Reads the answers of one HTTP/1.1 connection that has one request in flight at a time. It knows final answers with
 * a Content-Length, which is what our servers send, and throws an `UnexpectedResponseError` on anything else: on
 * chunks, interim answers, an answer without a length, and on bytes that nobody asked for.
 */
export class ResponseParser {
  /** The beginning of an answer that is not yet complete; ours, not the connection's. */
  #begun: Buffer | undefined;

  /** Takes what has come in, and gives the answer when it is complete. */
  push(chunk: Buffer): HttpResponse | undefined {
    const bytes = this.#begun === undefined ? chunk : Buffer.concat([this.#begun, chunk]);
    const response = this.#read(bytes);
    if (response !== undefined) this.#begun = undefined;
    else this.#begun = bytes === chunk ? Buffer.from(chunk) : bytes;
    return response;
  }

  #read(bytes: Buffer): HttpResponse | undefined {
    const headBytes = bytes.indexOf(endOfHead);
    if (headBytes === -1) {
      if (bytes.length > headBytesMax) throw new UnexpectedResponseError('the head of an answer has no end');
      return undefined;
    }
    const head = bytes.toString('latin1', 0, headBytes + 2);
    const { status, bodyBytes, closes } = readHead(head);
    const from = headBytes + endOfHead.length;
    if (bytes.length < from + bodyBytes) return undefined;
    if (bytes.length > from + bodyBytes)
      throw new UnexpectedResponseError('a server sent more than it was asked for');
    return { status, body: bytes.subarray(from, from + bodyBytes), closes };
  }
}

function readHead(head: string): { status: number; bodyBytes: number; closes: boolean } {
  const [, code] = /^HTTP\/1\.1 ([2-5][0-9]{2}) /.exec(head) ?? [];
  if (code === undefined)
    throw new UnexpectedResponseError(`not a final answer of HTTP/1.1: ${head.slice(0, 80)}`);
  let bodyBytes: number | undefined;
  let closes = false;
  for (const [, name = '', value = ''] of head.matchAll(headersThatMatter)) {
    switch (name.toLowerCase()) {
      case 'content-length':
        if (bodyBytes !== undefined || !/^[0-9]{1,9}$/.test(value))
          throw new UnexpectedResponseError(`no single Content-Length: ${value}`);
        bodyBytes = Number(value);
        break;
      case 'connection':
        closes = value.toLowerCase() === 'close';
        break;
      default:
        throw new UnexpectedResponseError(`an answer with ${name}: ${value}`);
    }
  }
  if (bodyBytes === undefined) throw new UnexpectedResponseError('an answer without Content-Length');
  if (bodyBytes > bodyBytesMax) throw new UnexpectedResponseError(`an answer of ${bodyBytes} bytes`);
  return { status: Number(code), bodyBytes, closes };
}

/** Those that say where the answer ends. */
const headersThatMatter =
  /\r\n(content-length|connection|transfer-encoding|content-encoding):[ \t]*([^\r\n]*?)[ \t]*(?=\r\n)/gi;
