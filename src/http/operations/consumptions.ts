import { Type } from 'typebox';
import { consumption } from '../../domain/commands/consumption.ts';
import { access } from '../access.ts';
import { operationRoute } from '../operation-route.ts';
import { Assets, Identifier, Reason } from '../schemas.ts';

export const consumptions = operationRoute({
  path: '/v1/consumptions',
  summary: 'Take assets from an account',
  description: 'They are gone for good.',
  access: access.operatorsAndOwner,
  params: Type.Object({}),
  body: Type.Object(
    {
      account: Identifier('Who gives up.'),
      assets: Assets('What is taken; several lines of one asset add up.'),
      reason: Type.Optional(Reason),
    },
    { additionalProperties: false },
  ),
  type: consumption,
  input: (body) => body,
  account: (body) => body.account,
  errors: ['account_not_found', 'asset_not_found', 'insufficient_balance', 'quantity_overflow'],
});
