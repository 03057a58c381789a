import { expect } from 'vitest';
import type { Answer, Api, Line } from './api.ts';

/** What the contract says of a receipt. */
export interface Receipt {
  readonly id: string;
  readonly type: string;
  readonly at: string;
  readonly actor: string;
  readonly dryRun: boolean;
  readonly entries: readonly Entry[];
  readonly accounts: Readonly<Record<string, { readonly version: number }>>;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface Entry {
  readonly account: string;
  readonly asset: string;
  readonly delta: number;
  readonly balance: number;
}

export interface Listing {
  readonly id: string;
  readonly price: readonly Line[];
  readonly stock: number | null;
  readonly remaining: number | null;
}

export interface Inventory {
  readonly account: string;
  readonly version: number;
  readonly holdings: readonly {
    readonly asset: string;
    readonly kind: string;
    readonly quantity: number;
    readonly reserved: number;
    readonly available: number;
    readonly level?: number;
  }[];
  readonly nextCursor: string | null;
}

/** A line of an account's history. */
export interface HistoryEntry {
  readonly operation: string;
  readonly type: string;
  readonly at: string;
  readonly asset: string;
  readonly delta: number;
  readonly balance: number;
}

export interface Page<Row> {
  readonly data: readonly Row[];
  readonly nextCursor: string | null;
}

/** The body of an answer that must have this status. What it looks like has been held against what is published. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller names what it has asked for
export function ok<Body>(answer: Answer, status = 200): Body {
  expect(answer, answer.text).toMatchObject({ status });
  return answer.body as Body;
}

/** The receipt of an operation that must have been accepted, and not be a replay. */
export function receipt(answer: Answer): Receipt {
  const body = ok<Receipt>(answer, 201);
  expect(answer.headers['idempotency-replayed']).toBeUndefined();
  return body;
}

/** Fails unless the answer is this problem, with these members. */
export function expectProblem(
  answer: Answer,
  status: number,
  code: string,
  members: Readonly<Record<string, unknown>> = {},
): void {
  expect(answer, answer.text).toMatchObject({ status, body: { status, code, ...members } });
}

/**
 * Fails unless the answer is `invalid_request`, with a fault at exactly these paths. What holds a faulty value may be
 * named beside it.
 */
export function expectInvalid(answer: Answer, ...paths: readonly string[]): void {
  expectProblem(answer, 400, 'invalid_request');
  const { errors } = answer.body as { errors: readonly { path: string }[] };
  const named = errors.map((error) => error.path);
  const innermost = named.filter((path) => !named.some((other) => other.startsWith(`${path}/`)));
  expect(new Set(innermost)).toEqual(new Set(paths));
}

/** What each asset amounts to. */
export function quantities(inventory: Inventory): Record<string, number> {
  return Object.fromEntries(inventory.holdings.map(({ asset, quantity }) => [asset, quantity]));
}

/** What the account holds of each asset. */
export async function owned(api: Api, account: string): Promise<Record<string, number>> {
  return quantities(ok<Inventory>(await api.inventory(account)));
}
