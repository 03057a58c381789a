import { Ajv, type ErrorObject } from 'ajv';
import ajvFormats from 'ajv-formats';
import type { FastifyInstance, FastifySchemaValidationError } from 'fastify';
import { Type } from 'typebox';
import { invalidRequest, pointerToken, type Fault, type Problem } from './problem.ts';

/** A request with more faults than this is told of the first ones. */
export const faultsMax = 20;

/** For routes that take no query: a parameter that nobody reads would be ignored, `dryRun` among them. */
const noQuery = Type.Object({}, { additionalProperties: false });

/**
 * Validates bodies to the letter: `"2"` is not 2, and a field that nobody knows is refused. What stands in a URL is
 * text, so there numbers and booleans are read from it; unknown parameters are refused as well.
 */
export function useValidation(app: FastifyInstance): void {
  const common = { allErrors: true, removeAdditional: false, useDefaults: true, strict: false } as const;
  const exact = new Ajv({ ...common, coerceTypes: false });
  const fromText = new Ajv({ ...common, coerceTypes: true });
  for (const ajv of [exact, fromText]) ajvFormats.default(ajv, ['date-time', 'uri', 'uuid']);
  app.addHook('onRoute', (route) => {
    if (route.schema !== undefined && route.url.startsWith('/v1/')) route.schema.querystring ??= noQuery;
  });
  app.setValidatorCompiler(({ schema, httpPart }) =>
    (httpPart === 'body' ? exact : fromText).compile(schema as object),
  );
}

const partNames: Readonly<Record<string, NonNullable<Fault['in']>>> = {
  body: 'body',
  params: 'path',
  querystring: 'query',
  headers: 'header',
};

/** The problem for a request that did not pass validation. */
export function validationProblem(
  errors: readonly FastifySchemaValidationError[],
  context: string | undefined,
): Problem {
  const part = partNames[context ?? 'body'] ?? 'body';
  const told = errors.filter((error) => !isEcho(error as ErrorObject));
  const faults = (told.length > 0 ? told : errors)
    .slice(0, faultsMax)
    .map((error) => faultOf(error as ErrorObject, part));
  const [first] = faults;
  const where = first === undefined || first.path === '' ? `the ${part}` : `${part} ${first.path}`;
  return invalidRequest(
    first === undefined ? 'the request is not valid' : `${where} ${first.message}`,
    faults,
  );
}

/** A field that may be null and is neither null nor what else it may be is at fault once, not three times. */
function isEcho({ keyword, params }: ErrorObject): boolean {
  return (
    keyword === 'anyOf' || (keyword === 'type' && (params as Record<string, unknown>)['type'] === 'null')
  );
}

function faultOf(
  { instancePath, keyword, params, message }: ErrorObject,
  part: NonNullable<Fault['in']>,
): Fault {
  const where = { in: part };
  const { additionalProperty, missingProperty, allowedValues } = params as Record<string, unknown>;
  if (keyword === 'additionalProperties' && typeof additionalProperty === 'string') {
    return {
      path: `${instancePath}/${pointerToken(additionalProperty)}`,
      message: 'is not known here',
      ...where,
    };
  }
  if (keyword === 'required' && typeof missingProperty === 'string') {
    return { path: `${instancePath}/${pointerToken(missingProperty)}`, message: 'is required', ...where };
  }
  if (keyword === 'enum' && Array.isArray(allowedValues)) {
    return { path: instancePath, message: `must be one of ${allowedValues.join(', ')}`, ...where };
  }
  return { path: instancePath, message: message ?? 'is not valid', ...where };
}
