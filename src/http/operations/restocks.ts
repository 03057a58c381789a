import { Type } from 'typebox';
import { restock } from '../../domain/commands/restock.ts';
import { access } from '../access.ts';
import { operationRoute } from '../operation-route.ts';
import { Identifier, Quantity } from '../schemas.ts';

export const restocks = operationRoute({
  path: '/v1/listings/:listing/restock',
  summary: 'Offer more units of a limited listing',
  description:
    'Adds to what is offered and to what is left. It is on record as an operation, without entries.',
  access: access.admins,
  params: Type.Object({ listing: Identifier('A limited listing.') }),
  body: Type.Object({ quantity: Quantity }, { additionalProperties: false }),
  type: restock,
  input: ({ quantity }, { listing }) => ({ listing, quantity }),
  account: null,
  errors: ['listing_not_found', 'catalog_conflict', 'quantity_overflow'],
});
