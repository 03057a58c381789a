import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorCodes } from './error-codes.ts';
import { invalidRequest, Problem } from './problem.ts';
import { validationProblem } from './validation.ts';

const problemJson = 'application/problem+json; charset=utf-8';

/** Everything that goes wrong in a request is answered here, as problem+json, and what is our fault is logged here. */
export function useErrorBoundary(app: FastifyInstance): void {
  app.setErrorHandler(answerError);
  app.addHook('onRequest', (request, _reply, done) => {
    // RFC 9112, section 3.2. Node would answer it by itself, with an empty body.
    const hostless = request.raw.httpVersion === '1.1' && request.raw.headers.host === undefined;
    done(
      hostless
        ? invalidRequest('there is no Host header', [{ path: '/host', message: 'is required', in: 'header' }])
        : undefined,
    );
  });
}

/** For errors that come before routing, such as a path that can't be decoded. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  sendProblem(request, reply, problemOf(error));
}

/** Bytes that are not HTTP: there is no request to answer, only a socket. */
export function answerBrokenClient(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = invalidRequest('the request is not valid HTTP', []);
  const requestId = randomUUID();
  const body = JSON.stringify(problem.body('', requestId));
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nx-request-id: ${requestId}\r\ncontent-type: ${problemJson}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): void {
  const { cause } = problem;
  if (problem.status >= 500) request.log.error({ err: cause, code: problem.code }, 'request failed');
  if (errorCodes[problem.code].retryable) reply.header('retry-after', '1');
  reply
    .code(problem.status)
    .headers({ 'x-request-id': request.id, ...problem.headers })
    .type(problemJson)
    .send(JSON.stringify(problem.body(pathOf(request), request.id)));
}

/** What Fastify itself refuses, in the words of the contract. */
function problemOf(error: unknown): Problem {
  if (!isFastifyError(error)) return Problem.of(error);
  if (error.validation !== undefined) return validationProblem(error.validation, error.validationContext);
  switch (error.code) {
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new Problem('unsupported_media_type');
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new Problem('payload_too_large');
    case 'FST_ERR_BAD_URL':
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return invalidRequest(error.message, []);
    default:
      return Problem.of(error);
  }
}

function isFastifyError(error: unknown): error is FastifyError {
  return (
    error instanceof Error &&
    !(error instanceof Problem) &&
    'code' in error &&
    String(error.code).startsWith('FST_')
  );
}

function pathOf(request: FastifyRequest): string {
  const end = request.url.indexOf('?');
  return end === -1 ? request.url : request.url.slice(0, end);
}
