import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { errorCodes, type ErrorCode } from './error-codes.ts';
import { ProblemDetails, Receipt } from './schemas.ts';
import type { TypedApp } from './typed-app.ts';

const description = `Inventories and economies for games and shops, correct however many replicas run.

Every operation takes an \`Idempotency-Key\`; retry with the same key and it is applied once. Errors are
\`application/problem+json\`; their codes are explained at [/docs/errors](/docs/errors).`;

/** `/openapi.json`, made of the schemas that validate; `/docs` to try it out; `/docs/errors`. Nothing comes from another host. */
export async function useDocumentation(app: TypedApp, version: string): Promise<void> {
  app.addSchema(Receipt);
  app.addSchema(ProblemDetails);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Holdfast', version, description, license: { name: 'MIT' } },
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'An API key or a player token.' },
        },
      },
      security: [{ bearer: [] }],
      tags: [
        { name: 'Operations', description: 'What changes holdings, and what was done.' },
        { name: 'Accounts', description: 'Owners, what they own, and their history.' },
        { name: 'Catalog', description: 'What can be owned, and what is on sale.' },
        { name: 'Administration', description: 'For operators.' },
        { name: 'Operating', description: 'For whoever runs it. No credential needed.' },
      ],
    },
    // A field with a default may be left out; to the types of the handlers it is always there.
    transform: ({ schema, url }) => ({ schema: withoutRequiredDefaults(schema), url }),
    refResolver: {
      buildLocalReference: (json, _base, _fragment, i) =>
        typeof json['$id'] === 'string' ? json['$id'] : `def-${i}`,
    },
  });
  app.addHook('onRoute', (route) => {
    if (route.config?.access === 'public' && route.schema !== undefined) route.schema.security = [];
  });
  app.get('/openapi.json', { config: { access: 'public' }, schema: { hide: true } }, () => app.swagger());
  app.get(
    '/docs/errors',
    { config: { access: 'public' }, schema: { hide: true } },
    async (_request, reply) =>
      await reply
        .type('text/html; charset=utf-8')
        .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'")
        .send(errorsPage),
  );
  await app.register(async (docs) => {
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, access: 'public' };
    });
    await docs.register(swaggerUi, {
      routePrefix: '/docs',
      staticCSP: docsPolicy,
      uiConfig: { tryItOutEnabled: true, persistAuthorization: true, displayRequestDuration: true },
    });
  });
}

/** Nothing but what the package itself serves; the page styles its parts inline. */
const docsPolicy =
  "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'";

function withoutRequiredDefaults<Schema>(schema: Schema): Schema {
  return JSON.parse(
    JSON.stringify(schema, (_, value: unknown) => {
      if (typeof value !== 'object' || value === null || !('required' in value) || !('properties' in value))
        return value;
      const properties = value.properties as Readonly<Record<string, object>>;
      const required = value.required as readonly string[];
      return { ...value, required: required.filter((name) => !('default' in (properties[name] ?? {}))) };
    }),
  ) as Schema;
}

const errorsPage = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdfast: errors</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
  h2 { font: bold 1.1rem ui-monospace, monospace; margin: 2rem 0 0; }
  h2:target { background: #fff3bf; }
  p { margin: .25rem 0; }
  small { color: #666; }
</style>
<h1>Errors</h1>
<p>Every error is <code>application/problem+json</code> (RFC 9457) with one of these codes. An error means that nothing was
changed, except <code>outcome_unknown</code>. A retryable one carries <code>Retry-After</code>.</p>
${Object.entries(errorCodes).map(errorSection).join('\n')}
</html>
`;

function errorSection([code, { status, title, retryable, meaning, remedy }]: [string, ErrorCode]): string {
  return `<h2 id="${code}">${code}</h2>
<p><small>${status} ${title}; ${retryable ? 'retryable' : 'not retryable'}</small></p>
<p>${prose(meaning)} ${prose(remedy)}</p>`;
}

/** Escapes text for HTML, and shows what is in backticks as code. */
function prose(text: string): string {
  const html = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return html.replace(/`([^`]*)`/g, '<code>$1</code>');
}
