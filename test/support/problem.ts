/** Every code in scope, and the status it comes with: the contract's own table. */
export const statusOfCode: Readonly<Record<string, number>> = {
  invalid_request: 400,
  invalid_cursor: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  account_not_found: 404,
  asset_not_found: 404,
  listing_not_found: 404,
  reward_rule_not_found: 404,
  operation_not_found: 404,
  insufficient_balance: 409,
  out_of_stock: 409,
  purchase_limit_reached: 409,
  price_changed: 409,
  listing_closed: 409,
  capacity_exceeded: 409,
  stack_limit_exceeded: 409,
  quantity_overflow: 409,
  not_tradable: 409,
  not_sellable: 409,
  same_account: 409,
  catalog_conflict: 409,
  version_mismatch: 412,
  payload_too_large: 413,
  unsupported_media_type: 415,
  idempotency_key_reused: 422,
  rate_limited: 429,
  internal_error: 500,
  busy: 503,
  overloaded: 503,
  shutting_down: 503,
  database_unavailable: 503,
  outcome_unknown: 503,
};

const retryable: ReadonlySet<unknown> = new Set([
  'rate_limited',
  'busy',
  'overloaded',
  'shutting_down',
  'database_unavailable',
  'outcome_unknown',
]);

/** Says what keeps an answer from being a problem as the contract has it; `instance` is the path without its query. */
export function problemFaults(answer: {
  readonly path: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: unknown;
}): string[] {
  const { headers, status } = answer;
  const faults: string[] = [];
  const type = String(headers['content-type']);
  if (!/^application\/problem\+json(; ?charset=utf-8)?$/i.test(type)) faults.push(`it is ${type}`);
  const body: Readonly<Record<string, unknown>> = { ...(answer.body as object | null) };
  const wanted = {
    type: `/docs/errors#${String(body['code'])}`,
    status,
    instance: answer.path.split('?')[0],
    requestId: headers['x-request-id'],
    // Whether a 500 may be tried again is open.
    retryable: status === 500 ? body['retryable'] : retryable.has(body['code']),
  };
  for (const [member, value] of Object.entries(wanted)) {
    if (body[member] !== value)
      faults.push(`${member} is ${JSON.stringify(body[member])}, not ${JSON.stringify(value)}`);
  }
  for (const member of ['title', 'code', 'detail'])
    if (typeof body[member] !== 'string' || body[member] === '') faults.push(`it has no ${member}`);
  if (statusOfCode[String(body['code'])] !== status)
    faults.push(`${String(body['code'])} does not go with ${status}`);
  if (body['retryable'] === true && !/^[0-9]+$/.test(String(headers['retry-after'])))
    faults.push('it may be tried again, and has no Retry-After');
  if (body['code'] === 'invalid_request' && !areFaults(body['errors']))
    faults.push('invalid_request comes with a list of errors');
  return faults;
}

/** What is wrong with no field in particular may have an empty list. */
function areFaults(errors: unknown): boolean {
  return (
    Array.isArray(errors) &&
    errors.every(
      (error: unknown) =>
        typeof error === 'object' &&
        error !== null &&
        'path' in error &&
        typeof error.path === 'string' &&
        'message' in error &&
        typeof error.message === 'string',
    )
  );
}
