import { describe, expect, it } from 'vitest';
import { ResponseParser, UnexpectedResponseError } from './response-parser.ts';

const created =
  'HTTP/1.1 201 Created\r\nX-Request-Id: 1\r\ncontent-length: 10\r\nConnection: keep-alive\r\n\r\n{"a":"é"}';

describe('ResponseParser', () => {
  const bytes = Buffer.from(created);

  it('reads an answer that comes in one piece', () => {
    const response = new ResponseParser().push(bytes);
    expect(response?.status).toBe(201);
    expect(response?.body.toString()).toBe('{"a":"é"}');
    expect(response?.closes).toBe(false);
  });

  it('reads an answer wherever it is cut, from a buffer that is used again', () => {
    for (let cut = 1; cut < bytes.length; cut += 1) {
      const parser = new ResponseParser();
      const shared = Buffer.alloc(bytes.length);
      expect(parser.push(shared.subarray(0, bytes.copy(shared, 0, 0, cut)))).toBeUndefined();
      const rest = bytes.copy(shared, 0, cut);
      expect(parser.push(shared.subarray(0, rest))?.body.toString()).toBe('{"a":"é"}');
    }
  });

  it('reads an answer byte by byte, and the next one after it', () => {
    const parser = new ResponseParser();
    for (let round = 0; round < 2; round += 1) {
      for (const byte of bytes.subarray(0, -1)) expect(parser.push(Buffer.of(byte))).toBeUndefined();
      expect(parser.push(bytes.subarray(-1))?.status).toBe(201);
    }
  });

  it('reads an answer without a body, and that the connection closes', () => {
    const response = new ResponseParser().push(
      Buffer.from('HTTP/1.1 503 Service Unavailable\r\nCONTENT-LENGTH:0\r\nconnection: close\r\n\r\n'),
    );
    expect([response?.status, response?.body.length, response?.closes]).toEqual([503, 0, true]);
  });

  it.each([
    ['a chunked answer', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n'],
    ['a compressed answer', 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx'],
    ['an answer without a length', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['an interim answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
    ['another version', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx'],
    ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['a body beyond the bound', 'HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n'],
    ['more than was asked for', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n'],
    ['a head without end', 'x'.repeat(20_000)],
  ])('refuses %s', (_what, text) => {
    expect(() => new ResponseParser().push(Buffer.from(text))).toThrow(UnexpectedResponseError);
  });
});
