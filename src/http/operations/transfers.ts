import { Type } from 'typebox';
import { transfer } from '../../domain/commands/transfer.ts';
import { access } from '../access.ts';
import { operationRoute } from '../operation-route.ts';
import { Assets, Identifier, Reason } from '../schemas.ts';

export const transfers = operationRoute({
  path: '/v1/transfers',
  summary: 'Move assets between accounts',
  description: 'Creates the receiving account if there is none. The idempotency key is scoped to `from`.',
  access: access.operators,
  params: Type.Object({}),
  body: Type.Object(
    {
      from: Identifier('Who gives.'),
      to: Identifier('Who receives.'),
      assets: Assets('What is moved; several lines of one asset add up.'),
      reason: Type.Optional(Reason),
    },
    { additionalProperties: false },
  ),
  type: transfer,
  input: (body) => body,
  account: null,
  errors: [
    'same_account',
    'account_not_found',
    'asset_not_found',
    'not_tradable',
    'insufficient_balance',
    'quantity_overflow',
    'stack_limit_exceeded',
    'capacity_exceeded',
  ],
});
