import type { FastifyInstance } from 'fastify';
import { Problem } from './problem.ts';

/**
 * Answers what no route takes, before the credential and the body are looked at: 405 with Allow where the path has other
 * methods, 404 where it has none. Knows the routes that are added from now on.
 */
export function useUnknownRoutes(app: FastifyInstance): void {
  const methodsByPath = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    // A wildcard takes any path, so it says nothing of the methods of a certain one.
    if (url.includes('*')) return;
    const methods = methodsByPath.get(url) ?? new Set();
    for (const name of [method].flat()) methods.add(name);
    methodsByPath.set(url, methods);
  });
  app.addHook('onRequest', (request, _reply, done) => {
    if (!request.is404) {
      done();
      return;
    }
    const { method } = request;
    const path = request.url.split('?', 1)[0] ?? '';
    const methods = [...methodsByPath].find(([pattern]) => matches(pattern, path))?.[1];
    if (methods === undefined) {
      done(new Problem('not_found', { detail: `there is no route ${method} ${path}` }));
      return;
    }
    const allow = [...methods].sort().join(', ');
    done(
      new Problem('method_not_allowed', {
        detail: `${method} is not for this route; it has ${allow}`,
        headers: { allow },
      }),
    );
  });
}

function matches(pattern: string, path: string): boolean {
  const parts = pattern.split('/');
  const segments = path.split('/');
  return (
    parts.length === segments.length &&
    parts.every((part, i) => (part.startsWith(':') ? segments[i] !== '' : part === segments[i]))
  );
}
