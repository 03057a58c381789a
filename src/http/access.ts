import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify';
import type { Role } from '../domain/role.ts';
import type { Authenticate, Caller, Identified } from '../identity/caller.ts';
import { VerificationKeysError } from '../identity/player-tokens.ts';
import { Problem } from './problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. Every route says so: one that does not keeps the service from starting. */
    access?: Access;
  }
  interface FastifyRequest {
    caller: Caller | null;
  }
}

/** Who may call a route: everyone, or these roles; a player only where the request is about its own account. */
export type Access = 'public' | readonly Role[];

/** The usual answers to who may call a route. */
export const access = {
  /** Anyone who is known. */
  everyone: ['admin', 'service', 'reader', 'player'],
  /** All reads that are not about one account. */
  readers: ['admin', 'service', 'reader'],
  operators: ['admin', 'service'],
  operatorsAndOwner: ['admin', 'service', 'player'],
  admins: ['admin'],
} as const satisfies Record<string, readonly Role[]>;

/** Finds out who calls, before the body is read, and refuses whom the route does not name. */
export function useAccess(app: FastifyInstance, authenticate: Authenticate): void {
  app.decorateRequest('caller', null);
  const routes: RouteOptions[] = [];
  app.addHook('onRoute', (route) => {
    routes.push(route);
  });
  app.addHook('onReady', (done) => {
    const open = routes.find(({ config, method }) => config?.access === undefined && method !== 'OPTIONS');
    done(
      open === undefined
        ? undefined
        : new Error(`route ${String(open.method)} ${open.url} does not say who may call it`),
    );
  });
  app.addHook('onRequest', async (request) => {
    const allowed = request.routeOptions.config.access;
    if (allowed === undefined || allowed === 'public') return;
    request.caller = await admitted(authenticate, bearerToken(request), allowed);
  });
}

/**
 * Whether who was let in would be now: its key may have been revoked since, its token have expired. For answers that
 * have no end. Throws what keeps it from being found out.
 */
export async function isStillAdmitted(authenticate: Authenticate, request: FastifyRequest): Promise<boolean> {
  const allowed = request.routeOptions.config.access;
  if (allowed === undefined || allowed === 'public') return true;
  try {
    await admitted(authenticate, bearerToken(request), allowed);
    return true;
  } catch (error) {
    if (error instanceof Problem && [401, 403].includes(error.status)) return false;
    throw error;
  }
}

async function admitted(
  authenticate: Authenticate,
  token: string,
  allowed: readonly Role[],
): Promise<Caller> {
  const identified = await identify(authenticate, token);
  if (identified.kind === 'refused') throw unauthenticated(identified.because, 'invalid_token');
  const { caller } = identified;
  if (!allowed.includes(caller.role)) throw forbidden(`the role ${caller.role} may not do this`);
  return caller;
}

/** The caller of a route that is not public. */
export function callerOf(request: FastifyRequest): Caller {
  if (request.caller === null) throw new Error('a public route has no caller');
  return request.caller;
}

/** Refuses a player whom the request's account does not belong to. */
export function requireOwn({ role, account: own }: Caller, account: string): void {
  if (role === 'player' && own !== account) throw forbidden(`a player may act on its own account alone`);
}

/** Who can't be identified now may be in a moment: that is no fault of the credential. */
async function identify(authenticate: Authenticate, token: string): Promise<Identified> {
  try {
    return await authenticate(token);
  } catch (error) {
    if (!(error instanceof VerificationKeysError)) throw error;
    const detail = 'the keys that player tokens are verified with can’t be had now';
    throw new Problem('overloaded', { detail, cause: error });
  }
}

function bearerToken(request: FastifyRequest): string {
  const { authorization } = request.headers;
  if (authorization === undefined) throw unauthenticated('there is no Authorization header');
  const [, token] = /^Bearer +([^\s]+)$/i.exec(authorization) ?? [];
  if (token === undefined)
    throw unauthenticated('the Authorization header is not of the form "Bearer <token>"', 'invalid_request');
  return token;
}

/** RFC 6750, section 3: the challenge names an error only where a credential was sent. */
function unauthenticated(detail: string, error?: string): Problem {
  const challenge =
    error === undefined ? 'Bearer realm="holdfast"' : `Bearer realm="holdfast", error="${error}"`;
  return new Problem('unauthenticated', { detail, headers: { 'www-authenticate': challenge } });
}

function forbidden(detail: string): Problem {
  return new Problem('forbidden', { detail });
}
