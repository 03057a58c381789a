import { Type } from 'typebox';
import { grant } from '../../domain/commands/grant.ts';
import { access } from '../access.ts';
import { operationRoute } from '../operation-route.ts';
import { Assets, Identifier, Reason } from '../schemas.ts';

export const grants = operationRoute({
  path: '/v1/grants',
  summary: 'Give assets to an account',
  description: 'Creates them out of nothing, and the account if there is none.',
  access: access.operators,
  params: Type.Object({}),
  body: Type.Object(
    {
      account: Identifier('Who receives.'),
      assets: Assets('What is given; several lines of one asset add up.'),
      reason: Type.Optional(Reason),
    },
    { additionalProperties: false },
  ),
  type: grant,
  input: (body) => body,
  account: (body) => body.account,
  errors: ['asset_not_found', 'quantity_overflow', 'stack_limit_exceeded', 'capacity_exceeded'],
});
