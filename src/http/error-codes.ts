/** What a code of the contract means: its answer, and what the caller should make of it. The docs page shows this table. */
export interface ErrorCode {
  readonly status: number;
  readonly title: string;
  /** Whether sending the same request again may succeed, without anyone changing anything. */
  readonly retryable: boolean;
  readonly meaning: string;
  readonly remedy: string;
}

const retryLater =
  'Nothing was changed. Send the same request, with the same Idempotency-Key, after Retry-After.';

export const errorCodes = {
  invalid_request: {
    status: 400,
    title: 'Invalid request',
    retryable: false,
    meaning: 'The body, path, query or a header is not what the route takes; `errors` names each fault.',
    remedy: 'Correct the request.',
  },
  invalid_cursor: {
    status: 400,
    title: 'Invalid cursor',
    retryable: false,
    meaning: 'The cursor was not given out by this route.',
    remedy: 'Begin again without a cursor, or go on from the last one received.',
  },
  unauthenticated: {
    status: 401,
    title: 'Unauthenticated',
    retryable: false,
    meaning: 'There is no credential in the Authorization header, or it is not valid.',
    remedy: 'Send `Authorization: Bearer <token>` with a valid key or token.',
  },
  forbidden: {
    status: 403,
    title: 'Forbidden',
    retryable: false,
    meaning: 'The caller is known, but its role does not allow this.',
    remedy: 'Use a credential with the role that the route names.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    retryable: false,
    meaning: 'There is no such route.',
    remedy: 'See /docs for the routes.',
  },
  account_not_found: {
    status: 404,
    title: 'Account not found',
    retryable: false,
    meaning: 'The account does not exist; a put, or the first grant or transfer to it, creates it.',
    remedy: 'Check the id, or create the account.',
  },
  asset_not_found: {
    status: 404,
    title: 'Asset not found',
    retryable: false,
    meaning: 'The catalog has no such asset.',
    remedy: 'Check the id, or put the asset.',
  },
  listing_not_found: {
    status: 404,
    title: 'Listing not found',
    retryable: false,
    meaning: 'The catalog has no such listing.',
    remedy: 'Check the id, or put the listing.',
  },
  reward_rule_not_found: {
    status: 404,
    title: 'Reward rule not found',
    retryable: false,
    meaning: 'The catalog has no such reward rule.',
    remedy: 'Check the id, or put the rule.',
  },
  operation_not_found: {
    status: 404,
    title: 'Operation not found',
    retryable: false,
    meaning: 'There is no operation with this id.',
    remedy: 'Check the id: rejected requests and dry runs leave no operation.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    retryable: false,
    meaning: 'The route exists, but not for this method; Allow names those it has.',
    remedy: 'Use one of the methods in Allow.',
  },
  insufficient_balance: {
    status: 409,
    title: 'Insufficient balance',
    retryable: false,
    meaning: 'The account has less of `asset` to spend than is required.',
    remedy: 'Show what is missing; try again after the account has more.',
  },
  out_of_stock: {
    status: 409,
    title: 'Out of stock',
    retryable: false,
    meaning: 'The listing has fewer units left than were asked for.',
    remedy: 'Ask for at most `remaining`, or wait for a restock.',
  },
  purchase_limit_reached: {
    status: 409,
    title: 'Purchase limit reached',
    retryable: false,
    meaning:
      'The account has bought as many units as the listing allows it, in this period where there is one.',
    remedy: 'Wait until `resetsAt`, if it is set.',
  },
  price_changed: {
    status: 409,
    title: 'Price changed',
    retryable: false,
    meaning: 'The listing does not cost what `expectedPrice` says.',
    remedy: 'Show the new `price` and ask again.',
  },
  listing_closed: {
    status: 409,
    title: 'Listing closed',
    retryable: false,
    meaning: 'The listing is not on sale at this moment.',
    remedy: 'Try between `opensAt` and `closesAt`.',
  },
  capacity_exceeded: {
    status: 409,
    title: 'Capacity exceeded',
    retryable: false,
    meaning: 'The account would hold more stacks of items than it has room for.',
    remedy: 'Make room, or raise the capacity of the account.',
  },
  stack_limit_exceeded: {
    status: 409,
    title: 'Stack limit exceeded',
    retryable: false,
    meaning: 'The account would hold more of `asset` than one account may.',
    remedy: 'Ask for less.',
  },
  quantity_overflow: {
    status: 409,
    title: 'Quantity overflow',
    retryable: false,
    meaning: 'A quantity would pass 9007199254740991, the largest that JSON numbers carry exactly.',
    remedy: 'Ask for less.',
  },
  not_tradable: {
    status: 409,
    title: 'Not tradable',
    retryable: false,
    meaning: 'The asset may not pass between accounts.',
    remedy: 'Leave the asset out.',
  },
  not_sellable: {
    status: 409,
    title: 'Not sellable',
    retryable: false,
    meaning: 'The shop does not buy this asset: it has no sell price.',
    remedy: 'Leave the asset out.',
  },
  same_account: {
    status: 409,
    title: 'Same account',
    retryable: false,
    meaning: 'The same account is on both sides.',
    remedy: 'Name two accounts.',
  },
  catalog_conflict: {
    status: 409,
    title: 'Catalog conflict',
    retryable: false,
    meaning: 'The catalog can’t be changed in this way; `detail` says what stands against it.',
    remedy: 'Correct the change.',
  },
  version_mismatch: {
    status: 412,
    title: 'Version mismatch',
    retryable: false,
    meaning: 'The account is not at the version that If-Match names.',
    remedy: 'Read the account again and decide anew.',
  },
  payload_too_large: {
    status: 413,
    title: 'Payload too large',
    retryable: false,
    meaning: 'The body is larger than 1 MiB.',
    remedy: 'Send less at once.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    retryable: false,
    meaning: 'The body is not application/json.',
    remedy: 'Send JSON, and say so in Content-Type.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'Idempotency key reused',
    retryable: false,
    meaning: 'The Idempotency-Key was used before for another method, path or body.',
    remedy: 'Use a new key for a new request.',
  },
  rate_limited: {
    status: 429,
    title: 'Rate limited',
    retryable: true,
    meaning: 'More requests came under this name in a minute than RATE_LIMIT_MAX allows.',
    remedy:
      'Nothing was changed. Wait as long as Retry-After says; RateLimit-Remaining tells how many are left.',
  },
  internal_error: {
    status: 500,
    title: 'Internal error',
    retryable: false,
    meaning:
      'Something failed that should not. Nothing was changed. The log has the cause under the request id.',
    remedy: 'Report it with its `requestId`.',
  },
  busy: {
    status: 503,
    title: 'Busy',
    retryable: true,
    meaning: 'A row that the request needs stayed locked for longer than it may wait.',
    remedy: retryLater,
  },
  overloaded: {
    status: 503,
    title: 'Overloaded',
    retryable: true,
    meaning: 'More is waiting than this replica takes.',
    remedy: retryLater,
  },
  shutting_down: {
    status: 503,
    title: 'Shutting down',
    retryable: true,
    meaning: 'This replica is stopping; the others go on.',
    remedy: retryLater,
  },
  database_unavailable: {
    status: 503,
    title: 'Database unavailable',
    retryable: true,
    meaning: 'The database can’t be reached.',
    remedy: retryLater,
  },
  outcome_unknown: {
    status: 503,
    title: 'Outcome unknown',
    retryable: true,
    meaning:
      'The connection was lost during the commit, and whether it was kept could not be found out in time.',
    remedy:
      'Send the same request with the key in `idempotencyKey` (it names it also when the service made it): the answer tells the outcome, and nothing is applied twice.',
  },
} as const satisfies Record<string, ErrorCode>;

export type ErrorCodeName = keyof typeof errorCodes;
