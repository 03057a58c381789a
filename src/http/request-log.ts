import type { FastifyInstance } from 'fastify';

/** One line for each request, when it has been answered, and the request's id in every answer. */
export function useRequestLog(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { method, url, caller } = request;
    const fields = {
      method,
      url,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      actor: caller?.actor,
    };
    request.log.info(fields, 'request');
    done();
  });
}
