/**
 * A queue that one worker works off, batch by batch: while a batch is under way, what arrives waits, and the next batch
 * takes it all, up to a bound. So a busy lane makes larger batches, and an idle one does not wait for company.
 */
export class Lane<Item> {
  readonly #batchMax: number;
  readonly #work: (batch: Item[]) => Promise<void>;
  #queue: Item[] = [];
  #running: Promise<void> | undefined;

  /** `work` must not reject: it is the one to answer for what it took. */
  constructor(options: { batchMax: number; work: (batch: Item[]) => Promise<void> }) {
    this.#batchMax = options.batchMax;
    this.#work = options.work;
  }

  /** What waits for its batch. */
  get queued(): number {
    return this.#queue.length;
  }

  push(item: Item): void {
    this.#queue.push(item);
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is queued or under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    // The requests that the event loop is about to read join the first batch.
    await new Promise(setImmediate);
    try {
      while (this.#queue.length > 0) await this.#work(this.#take());
    } finally {
      this.#running = undefined;
    }
  }

  #take(): Item[] {
    if (this.#queue.length <= this.#batchMax) {
      const batch = this.#queue;
      this.#queue = [];
      return batch;
    }
    return this.#queue.splice(0, this.#batchMax);
  }
}
