import { select } from '../throwaway-postgres.ts';

/** An operation as the database has it: what everything that follows the feed is compared with. */
export interface RecordedOperation {
  readonly position: number;
  readonly id: string;
  readonly type: string;
  /** The account that it belongs to, or `/listings/<id>`. */
  readonly home: string;
  /** JSON, word for word. */
  readonly text: string;
  readonly receipt: RecordedReceipt;
}

export interface RecordedReceipt {
  readonly at: string;
  readonly entries: readonly RecordedEntry[];
  readonly accounts: Readonly<Record<string, { readonly version: number }>>;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface RecordedEntry {
  readonly account: string;
  readonly asset: string;
  readonly delta: number;
  readonly balance: number;
}

/** Reads the whole operations table, in the order of the feed. */
export async function readOperations(databaseUrl: string): Promise<readonly RecordedOperation[]> {
  const rows = await select(
    databaseUrl,
    'select position, id, type, home, receipt::text as receipt from operations order by position',
  );
  return rows.map(({ position, id, type, home, receipt }) => ({
    position: Number(position),
    id: String(id),
    type: String(type),
    home: String(home),
    text: String(receipt),
    receipt: JSON.parse(String(receipt)) as RecordedReceipt,
  }));
}
