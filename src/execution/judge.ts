import type { Catalog } from '../domain/catalog.ts';
import type { Footprint } from '../domain/command.ts';
import { Ledger, type Effect, type LedgerRows } from '../domain/ledger.ts';
import { receiptOf } from '../domain/receipt.ts';
import { idempotencyKeyReused, versionMismatch, type Rejection } from '../domain/rejection.ts';
import type { Changes, IdempotencyKey, OperationRecord, RecordedKey } from '../repository/repository.ts';
import { ExecutionFailure } from './failure.ts';
import type { Pending } from './pending.ts';
import type { Outcome } from './request.ts';

/** The scope in which a command's key is unique. */
export function scopeOf({ request, idempotencyKey }: Pending): IdempotencyKey {
  return { home: request.command.home, actor: request.actor, key: idempotencyKey };
}

/**
 * Decides the commands of a batch in turn, each on the state that the ones before it left, and collects what is to be
 * kept. The order of judgement is: the key, then If-Match, then the rules.
 */
export class Judge {
  readonly #ledger: Ledger;
  readonly #nowMs: number;
  readonly #recorded: Map<string, RecordedKey>;
  readonly #operations: OperationRecord[] = [];
  readonly #written: Pending[] = [];
  readonly #onRecord: Pending[] = [];
  readonly #recordedBefore: ReadonlySet<RecordedKey>;

  constructor(known: {
    catalog: Catalog;
    footprint: Footprint;
    rows: LedgerRows;
    recorded: readonly RecordedKey[];
    nowMs: number;
  }) {
    this.#ledger = Ledger.load(known.catalog, known.footprint, known.rows);
    this.#nowMs = known.nowMs;
    this.#recordedBefore = new Set(known.recorded);
    this.#recorded = new Map(known.recorded.map((record) => [scopeName(record), record]));
  }

  /** The commands whose operations, or the ones that they replay, are among the changes. */
  get written(): readonly Pending[] {
    return this.#written;
  }

  /** The commands whose operations, or the ones that they replay, were on record before. */
  get onRecord(): readonly Pending[] {
    return this.#onRecord;
  }

  /** What the commands decided so far have changed, each row once, as it is after all of them. */
  changes(): Changes {
    return { operations: this.#operations, ...this.#ledger.changed() };
  }

  /** A command that throws fails alone: it has changed nothing, and those after it are decided as if it had not been. */
  decide(pending: Pending): Outcome | ExecutionFailure {
    try {
      return this.#replay(pending) ?? this.#refuseVersion(pending) ?? this.#judge(pending);
    } catch (error) {
      return new ExecutionFailure('internal_error', { cause: error });
    }
  }

  #replay(pending: Pending): Outcome | undefined {
    const record = this.#recorded.get(scopeName(scopeOf(pending)));
    if (record === undefined) return undefined;
    if (record.requestHash !== pending.request.requestHash)
      return idempotencyKeyReused(pending.idempotencyKey);
    (this.#recordedBefore.has(record) ? this.#onRecord : this.#written).push(pending);
    return { kind: 'done', receipt: record.receipt, replayed: record.operation !== pending.operationId };
  }

  #refuseVersion({ request: { ifMatch } }: Pending): Rejection | undefined {
    if (ifMatch === null) return undefined;
    const version = this.#ledger.account(ifMatch.account)?.version ?? 0;
    return version === ifMatch.version
      ? undefined
      : versionMismatch(ifMatch.account, ifMatch.version, version);
  }

  /** Decides on a fork of the state, which is merged when all is done: whatever throws on the way leaves no trace. */
  #judge(pending: Pending): Outcome {
    const { command, dryRun, actor } = pending.request;
    const decision = command.decide(this.#ledger, { nowMs: this.#nowMs });
    if (decision.kind === 'rejected') return decision;
    const trial = this.#ledger.fork();
    const effect = trial.apply(decision.changes, this.#nowMs);
    const head = { id: pending.operationId, type: command.type, actor };
    const receipt = JSON.stringify(receiptOf({ ...head, dryRun, details: decision.details }, effect));
    if (!dryRun) {
      trial.merge();
      this.#record(pending, effect, receipt);
    }
    return { kind: 'done', receipt, replayed: false };
  }

  #record(pending: Pending, effect: Effect, receipt: string): void {
    const scope = scopeOf(pending);
    const { command, actor, requestHash } = pending.request;
    const versions = new Map(effect.accounts.map(({ id, version }) => [id, version]));
    this.#operations.push({
      id: pending.operationId,
      home: command.home,
      type: command.type,
      atMs: effect.atMs,
      actor,
      idempotencyKey: pending.idempotencyKey,
      requestHash,
      receipt,
      entries: effect.entries.map((entry) => ({ ...entry, version: versions.get(entry.account) ?? 0 })),
      stock: effect.stock,
    });
    this.#recorded.set(scopeName(scope), { ...scope, operation: pending.operationId, requestHash, receipt });
    this.#written.push(pending);
  }
}

/** A line break is in no home, and in no key or actor that a header or token may carry. */
function scopeName({ home, actor, key }: IdempotencyKey): string {
  return `${home}\n${actor}\n${key}`;
}
