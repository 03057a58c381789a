import type { Command } from '../domain/command.ts';
import type { Rejection } from '../domain/rejection.ts';

/** One operation that a caller asks for. */
export interface OperationRequest {
  readonly command: Command;
  /** Who asks: on record, and the scope of the key together with the command's home. */
  readonly actor: string;
  /** Null: the executor makes one, so that an unknown outcome can be resolved. */
  readonly idempotencyKey: string | null;
  /** Tells one request from another under the same key. */
  readonly requestHash: string;
  /** The account and the version it must be at. */
  readonly ifMatch: { readonly account: string; readonly version: number } | null;
  /** Answers as if, and changes nothing. */
  readonly dryRun: boolean;
}

export type Outcome = Done | Rejection;

export interface Done {
  readonly kind: 'done';
  /** JSON, the same to the letter each time the key is used. */
  readonly receipt: string;
  /** The key had been used before, by another request than this one. */
  readonly replayed: boolean;
}
