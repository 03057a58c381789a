import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Type, type Static, type TObject } from 'typebox';
import { commandOf, type CommandType } from '../domain/command.ts';
import type { Executor } from '../execution/executor.ts';
import type { OperationRequest } from '../execution/request.ts';
import { callerOf, requireOwn, type Access } from './access.ts';
import { answers, bodyErrors } from './answers.ts';
import type { ErrorCodeName } from './error-codes.ts';
import { invalidRequest, Problem } from './problem.ts';
import { requestHash } from './request-hash.ts';
import { Receipt } from './schemas.ts';

/**
 * How a kind of operation is asked for over HTTP: a path, a schema and a command. All else that an operation owes its
 * callers (idempotency, If-Match, dry run, receipts, errors) is the same for each, and lies here.
 */
export interface OperationDefinition<Body extends TObject, Params extends TObject, Input> {
  readonly path: string;
  readonly summary: string;
  readonly description: string;
  readonly access: Exclude<Access, 'public'>;
  readonly params: Params;
  readonly body: Body;
  readonly type: CommandType<Input>;
  readonly input: (body: Static<Body>, params: Static<Params>) => Input;
  /** The one account that If-Match is about, and that a player must own; null: it is about several, or none. */
  readonly account: ((body: Static<Body>) => string) | null;
  readonly errors: readonly ErrorCodeName[];
}

/** An operation ready to be put into service; see `operations/index.ts`. */
export interface OperationRoute {
  readonly type: Pick<CommandType<never>, 'type' | 'check' | 'earns'>;
  register(app: FastifyInstance, executor: Executor): void;
}

export function operationRoute<Body extends TObject, Params extends TObject, Input>(
  definition: OperationDefinition<Body, Params, Input>,
): OperationRoute {
  return {
    type: definition.type,
    register(app, executor) {
      const options = { config: { access: definition.access }, schema: schemaOf(definition) };
      app.post(definition.path, options, async (request, reply) => {
        const outcome = await executor.execute(operationRequest(request, definition));
        if (outcome.kind === 'rejected') throw Problem.rejected(outcome);
        if (outcome.replayed) reply.header('idempotency-replayed', 'true');
        return await reply.code(201).type('application/json; charset=utf-8').send(outcome.receipt);
      });
    },
  };
}

const OperationHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      pattern: '^[\\x20-\\x7e]*$',
      description:
        'The first use wins: the same request under the same key is applied once, from any replica, and answered the same each time. Scoped to the caller and the account.',
    }),
  ),
  'if-match': Type.Optional(
    Type.String({
      pattern: '^"(0|[1-9][0-9]{0,15})"$',
      description:
        'A version in quotes: 412 `version_mismatch` unless the account is at it. For operations about one account.',
    }),
  ),
});

const OperationQuery = Type.Object(
  {
    dryRun: Type.Boolean({
      default: false,
      description:
        'Answers the receipt or the rejection that it would have had; changes nothing and uses no key.',
    }),
  },
  { additionalProperties: false },
);

function schemaOf<Body extends TObject, Params extends TObject, Input>(
  definition: OperationDefinition<Body, Params, Input>,
): Record<string, unknown> {
  const { summary, description, params, body, errors, account } = definition;
  return {
    tags: ['Operations'],
    summary,
    description,
    params,
    body,
    headers: OperationHeaders,
    querystring: OperationQuery,
    response: answers(
      { 201: Receipt },
      [
        ...errors,
        ...(account === null ? [] : (['version_mismatch'] as const)),
        'idempotency_key_reused',
        ...bodyErrors,
        'busy',
        'overloaded',
        'outcome_unknown',
      ],
      {
        'Idempotency-Replayed': Type.Literal('true', {
          description: 'Only where the key had been used before.',
        }),
      },
    ),
  };
}

function operationRequest<Body extends TObject, Params extends TObject, Input>(
  request: FastifyRequest,
  { type, input, account }: OperationDefinition<Body, Params, Input>,
): OperationRequest {
  // Validated against these very schemas before the handler was called.
  const body = request.body as Static<Body>;
  const params = request.params as Static<Params>;
  const headers = request.headers as Static<typeof OperationHeaders>;
  const { dryRun } = request.query as Static<typeof OperationQuery>;
  const caller = callerOf(request);
  const about = account?.(body) ?? null;
  if (about !== null) requireOwn(caller, about);
  return {
    command: commandOf(type, input(body, params)),
    actor: caller.actor,
    idempotencyKey: headers['idempotency-key'] ?? null,
    requestHash: requestHash(request.method, request.url.split('?', 1)[0] ?? '', body),
    ifMatch: ifMatchOf(headers['if-match'], about),
    dryRun,
  };
}

function ifMatchOf(header: string | undefined, account: string | null): OperationRequest['ifMatch'] {
  if (header === undefined) return null;
  if (account === null) {
    const fault = {
      path: '/if-match',
      message: 'is for operations about one account',
      in: 'header',
    } as const;
    throw invalidRequest('If-Match is for operations about one account', [fault]);
  }
  return { account, version: Number(header.slice(1, -1)) };
}
