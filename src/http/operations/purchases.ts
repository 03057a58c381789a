import { Type } from 'typebox';
import { purchase } from '../../domain/commands/purchase.ts';
import { access } from '../access.ts';
import { operationRoute } from '../operation-route.ts';
import { Identifier, Price, Quantity } from '../schemas.ts';

export const purchases = operationRoute({
  path: '/v1/purchases',
  summary: 'Buy from a listing',
  description:
    'Takes the price and limited stock, gives the goods. Price and goods settle together: of an asset that is in both, only the difference counts.',
  access: access.operatorsAndOwner,
  params: Type.Object({}),
  body: Type.Object(
    {
      account: Identifier('Who buys.'),
      listing: Identifier('What is bought.'),
      quantity: Type.Integer({ ...Quantity, default: 1, description: 'Units of the listing.' }),
      expectedPrice: Type.Optional(
        Price('What the caller believes one unit costs: 409 `price_changed` if it costs anything else.'),
      ),
    },
    { additionalProperties: false },
  ),
  type: purchase,
  input: (body) => body,
  account: (body) => body.account,
  errors: [
    'listing_not_found',
    'account_not_found',
    'listing_closed',
    'price_changed',
    'out_of_stock',
    'purchase_limit_reached',
    'insufficient_balance',
    'quantity_overflow',
    'stack_limit_exceeded',
    'capacity_exceeded',
  ],
});
