import { Type } from 'typebox';
import { sale } from '../../domain/commands/sale.ts';
import { access } from '../access.ts';
import { operationRoute } from '../operation-route.ts';
import { Identifier, Quantity } from '../schemas.ts';

export const sales = operationRoute({
  path: '/v1/sales',
  summary: 'Sell to the shop',
  description: 'Takes the asset and pays its sell price.',
  access: access.operatorsAndOwner,
  params: Type.Object({}),
  body: Type.Object(
    { account: Identifier('Who sells.'), asset: Identifier('What is sold.'), quantity: Quantity },
    { additionalProperties: false },
  ),
  type: sale,
  input: (body) => body,
  account: (body) => body.account,
  errors: [
    'account_not_found',
    'asset_not_found',
    'not_sellable',
    'insufficient_balance',
    'quantity_overflow',
    'stack_limit_exceeded',
    'capacity_exceeded',
  ],
});
