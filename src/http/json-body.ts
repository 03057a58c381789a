import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { parse } from 'secure-json-parse';
import { invalidRequest, pointerToken, Problem, type Fault } from './problem.ts';

/** How deep objects and arrays may lie in one another: deeper ones overflow the stack of whoever reads them next. */
const depthMax = 64;

/**
 * Reads bodies as JSON in UTF-8 and nothing else, and refuses what could not be given back as it came: bytes that are
 * not UTF-8, numbers that are too large for any number here, a member named `__proto__`.
 */
export function useJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    const encoding = request.headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity') {
      done(
        new Problem('unsupported_media_type', {
          detail: `a body in content-encoding ${encoding} is not read`,
        }),
      );
      return;
    }
    const { fault, value } = read(body);
    if (fault === undefined) done(null, value);
    else
      done(
        invalidRequest(`body ${fault.path} ${fault.message}`.replace('  ', ' '), [{ ...fault, in: 'body' }]),
      );
  });
}

function read(body: Buffer): { fault?: Fault; value?: unknown } {
  // No bytes are no body: where one is asked for, validation says so.
  if (body.length === 0) return {};
  if (!isUtf8(body)) return { fault: { path: '', message: 'is not UTF-8' } };
  try {
    const value: unknown = parse(body.toString('utf8'), { protoAction: 'error', constructorAction: 'error' });
    const fault = faultIn(value, '', depthMax);
    return fault === undefined ? { value } : { fault };
  } catch {
    return { fault: { path: '', message: 'is not valid JSON' } };
  }
}

function faultIn(value: unknown, path: string, depthLeft: number): Fault | undefined {
  if (typeof value === 'number')
    return Number.isFinite(value) ? undefined : { path, message: 'is too large a number' };
  if (typeof value !== 'object' || value === null) return undefined;
  if (depthLeft === 0) return { path, message: `is nested more than ${depthMax} deep` };
  for (const [name, member] of Object.entries(value)) {
    // Only what holds others, or is a number, can be at fault: the path is not spelled out for the rest.
    if (typeof member !== 'number' && typeof member !== 'object') continue;
    const fault = faultIn(member, `${path}/${pointerToken(name)}`, depthLeft - 1);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
