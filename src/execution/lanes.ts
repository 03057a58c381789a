export interface LanesSettings {
  /** How many batches may be under way at once; each takes a connection. For throughput only. */
  readonly lanes: number;
  /** Items in one batch at most. */
  readonly batchMax: number;
  /** While another batch is under way, a lane begins its own only with so many items. */
  readonly batchMin: number;
  /** … or when one of them has waited for so long. */
  readonly batchWaitMs: number;
}

/**
 * Queues that are worked off batch by batch: what arrives while a batch is under way gathers, and the next one takes it, up
 * to a bound. So a busy service makes larger batches, and an idle one does not wait for company.
 *
 * Each item belongs to a lane, and a lane begins its own in their order. As long as one batch after another can take
 * all there is, there is one at a time: a batch costs much the same, however few are in it, and two that are half as large
 * only take the processor from each other.
 */
export class Lanes<Item> {
  readonly #settings: LanesSettings;
  readonly #work: (batch: Item[]) => Promise<void>;
  readonly #lanes: readonly Lane<Item>[];
  readonly #underWay = new Set<Promise<void>>();
  #begun = 0;
  #looking = false;

  /** `work` must not reject: it is the one to answer for what it took. */
  constructor(settings: LanesSettings, work: (batch: Item[]) => Promise<void>) {
    this.#settings = settings;
    this.#work = work;
    this.#lanes = Array.from({ length: settings.lanes }, () => new Lane<Item>());
  }

  /** What waits for its batch. */
  get queued(): number {
    return this.#lanes.reduce((sum, { queue }) => sum + queue.length, 0);
  }

  /** Those of the same number, whichever it is, share a lane. */
  push(item: Item, number: number): void {
    const lane = this.#lanes[number % this.#lanes.length];
    if (lane === undefined) throw new Error(`there is no lane for ${number}`);
    lane.queue.push(item);
    this.#boundWait(lane);
    if (this.#looking || !this.#mayBegin(lane)) return;
    this.#looking = true;
    // The requests that the event loop is about to read join the batch.
    setImmediate(() => {
      this.#looking = false;
      this.#look();
    });
  }

  /** Resolves when nothing is queued or under way. */
  async idle(): Promise<void> {
    while (this.queued > 0 || this.#underWay.size > 0) {
      await Promise.all(this.#underWay);
      await new Promise(setImmediate);
    }
  }

  /** Begins what may begin. The lane whose last batch is longest ago comes first, so that none is passed over for ever. */
  #look(): void {
    const waiting = this.#lanes.filter(({ queue }) => queue.length > 0).sort((a, b) => a.begun - b.begun);
    const { batchMin, batchMax } = this.#settings;
    if (this.#underWay.size === 0 && this.queued <= Math.min(batchMin, batchMax)) this.#begin(waiting);
    else for (const lane of waiting) if (this.#mayBegin(lane)) this.#begin([lane]);
  }

  /** What waits here now begins when its time is up, whatever is under way elsewhere. */
  #boundWait(lane: Lane<Item>): void {
    if (lane.queue.length === 0) return;
    lane.timer ??= setTimeout(() => {
      lane.overdue = true;
      // A batch that has nothing of this lane no longer keeps it. One that has keeps it to its end: the two would only
      // wait for each other's rows.
      if (lane.batch?.lanes.has(lane) !== true) lane.batch = undefined;
      this.#look();
    }, this.#settings.batchWaitMs);
  }

  #mayBegin({ queue, batch, overdue }: Lane<Item>): boolean {
    if (batch !== undefined || queue.length === 0) return false;
    return overdue || this.#underWay.size === 0 || queue.length >= this.#settings.batchMin;
  }

  /** Begins a batch of what waits in these lanes. A batch of several keeps all lanes, also those that have nothing yet. */
  #begin(lanes: readonly Lane<Item>[]): void {
    if (lanes.length === 0) return;
    const items = lanes.flatMap((lane) => lane.take(this.#settings.batchMax));
    const batch: Batch<Item> = { lanes: new Set(lanes) };
    const kept = lanes.length > 1 ? this.#lanes : lanes;
    this.#begun += 1;
    for (const lane of kept) {
      lane.batch = batch;
      lane.begun = this.#begun;
      this.#boundWait(lane);
    }
    const running = this.#work(items).finally(() => {
      this.#underWay.delete(running);
      for (const lane of kept) if (lane.batch === batch) lane.batch = undefined;
      this.#look();
    });
    this.#underWay.add(running);
  }
}

/** A batch that is under way, and the lanes that it has items of. */
interface Batch<Item> {
  readonly lanes: ReadonlySet<Lane<Item>>;
}

class Lane<Item> {
  queue: Item[] = [];
  batch: Batch<Item> | undefined;
  /** When its last batch began, counted in batches. */
  begun = 0;
  timer: NodeJS.Timeout | undefined;
  /** What waits here has waited long enough for others. */
  overdue = false;

  take(most: number): Item[] {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.overdue = false;
    const items = this.queue;
    this.queue = items.splice(most);
    return items;
  }
}
