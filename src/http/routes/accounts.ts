import { Type } from 'typebox';
import type { JsonObject } from '../../domain/json.ts';
import { quantityMax } from '../../domain/quantity.ts';
import type { AccountEditor } from '../../execution/account-editor.ts';
import type { AccountProfile, Reads } from '../../repository/repository.ts';
import { access, callerOf, requireOwn } from '../access.ts';
import { accountNotFound } from '../../domain/rejection.ts';
import { answers, bodyErrors } from '../answers.ts';
import { Problem } from '../problem.ts';
import { Identifier, Nullable, Properties } from '../schemas.ts';
import type { TypedApp } from '../typed-app.ts';

const AccountBody = Type.Object(
  {
    capacity: Type.Optional(
      Nullable(
        Type.Integer({
          minimum: 0,
          maximum: quantityMax,
          description: 'The most stacks (kinds of item) it may hold; null: no limit.',
        }),
      ),
    ),
    properties: Type.Optional(Properties),
  },
  { additionalProperties: false },
);

const AccountAnswer = Type.Object(
  {
    id: Type.String(),
    version: Type.Integer({
      description: 'Goes up by one with each operation on the account, and with nothing else.',
    }),
    capacity: Nullable(Type.Integer()),
    properties: Properties,
  },
  { $id: 'Account' },
);

const AccountParams = Type.Object({ account: Identifier('The account.') });

export function accountRoutes(app: TypedApp, deps: { reads: Reads; accountEditor: AccountEditor }): void {
  const { reads, accountEditor } = deps;

  app.put(
    '/v1/accounts/:account',
    {
      config: { access: access.operators },
      schema: {
        tags: ['Accounts'],
        summary: 'Create or change an account',
        description:
          'Fields that are left out take their defaults: no limit, no properties. What the account owns and its version stay as they are.',
        params: AccountParams,
        body: AccountBody,
        response: answers({ 200: AccountAnswer, 201: AccountAnswer }, ['busy', ...bodyErrors]),
      },
    },
    async (request, reply) => {
      const { capacity = null, properties = {} } = request.body;
      // What JSON was read from can be written as JSON.
      const input = { capacity, properties: properties as JsonObject };
      const { profile, created } = await accountEditor.put(request.params.account, input);
      return await reply.code(created ? 201 : 200).send(shown(profile));
    },
  );

  app.get(
    '/v1/accounts/:account',
    {
      config: { access: access.everyone },
      schema: {
        tags: ['Accounts'],
        summary: 'An account',
        params: AccountParams,
        response: answers({ 200: AccountAnswer }, ['account_not_found']),
      },
    },
    async (request) => {
      const { account } = request.params;
      requireOwn(callerOf(request), account);
      const profile = await reads.account(account);
      if (profile === undefined) throw Problem.rejected(accountNotFound(account));
      return shown(profile);
    },
  );
}

function shown({ id, version, capacity, properties }: AccountProfile): Type.Static<typeof AccountAnswer> {
  return { id, version, capacity, properties: { ...properties } };
}
