/** What a progress bar is drawn on; `process.stderr` is one. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

const width = 30;
/** Drawing more often than this shows nobody anything. */
const everyMs = 50;

/**
 * Shows on a terminal how far something is. Where the stream is no terminal, such as a file or a pipe, it writes nothing
 * but the line at the end.
 */
export class ProgressBar {
  readonly #stream: ProgressStream;
  #drawnMs = -Infinity;

  constructor(stream: ProgressStream) {
    this.#stream = stream;
  }

  /** `fraction` is from 0 to 1; `label` says what is being done. */
  update(fraction: number, label: string): void {
    const nowMs = performance.now();
    if (this.#stream.isTTY !== true || nowMs - this.#drawnMs < everyMs) return;
    this.#drawnMs = nowMs;
    const done = Math.min(1, Math.max(0, fraction));
    const bar = '█'.repeat(Math.round(done * width)).padEnd(width, '░');
    this.#stream.write(`\r\u001b[2K${bar} ${String(Math.floor(done * 100)).padStart(3)} % ${label}`);
  }

  /** Takes the bar away, and leaves this line in its place. */
  finish(line: string): void {
    this.#stream.write(`${this.#stream.isTTY === true ? '\r\u001b[2K' : ''}${line}\n`);
  }
}
