import { Call } from "./call.js";
import type { CallOptions, Reply } from "./call.js";
import { DirtyError, DirtyProtocolError, errorOf } from "./errors.js";

interface Waiter<T> {
  resolve(result: IteratorResult<T, undefined>): void;
  reject(error: unknown): void;
}

/** How much a stream holds back, in bytes of frames. */
export interface StreamLimits {
  /** From here on the socket is not read, unless another caller of the connection waits for something. */
  buffer: number;
  /** Here the stream fails: its caller is too slow for those who share the connection with it. */
  most: number;
}

/**
 * The items of a stream, for one `for await`. The request was sent when the stream was made. Leaving the loop cancels
 * the stream (STREAM-7); who makes a stream and never reads it calls `return()`.
 */
export class DirtyStream<T> extends Call implements AsyncIterableIterator<T> {
  readonly #items: { value: T; size: number }[] = [];
  readonly #waiters: Waiter<T>[] = [];
  #held = 0; // bytes of #items
  #started = false; // a chunk has come
  #error: { error: unknown } | undefined;

  constructor(
    what: { app_path: string; action: string },
    options: CallOptions,
    readonly limits: StreamLimits,
  ) {
    super(what, options);
  }

  get full(): boolean {
    return this.#held >= this.limits.buffer;
  }

  get awaited(): boolean {
    return this.#waiters.length > 0;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const item = this.#items.shift();
    if (item !== undefined) {
      this.#held -= item.size;
      this.flow();
      return Promise.resolve({ done: false, value: item.value });
    }
    if (this.#error !== undefined) {
      const { error } = this.#error;
      this.#error = undefined; // an iterator that has thrown is done
      return Promise.reject(error);
    }
    if (this.over) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      if (this.#waiters.length === 1) this.startClock();
      this.flow();
    });
  }

  /** Leaves the stream: it is cancelled, and what it still sends is dropped. */
  return(): Promise<IteratorResult<T, undefined>> {
    this.#drop();
    this.#error = undefined;
    if (!this.over) this.abandon();
    this.#settle();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  take(reply: Reply, size: number): void {
    switch (reply.type) {
      case "chunk":
      case "response": {
        if (reply.type === "response" && this.#started) {
          const broken = new DirtyProtocolError("a response came inside a stream (STREAM-5)", { requirement: "STREAM-5" });
          this.fail(broken);
          throw broken;
        }
        const got = this.value(reply);
        if (got === undefined) return;
        this.#started = true;
        this.#put(got.value as T, size);
        if (reply.type === "response") this.finish(); // STREAM-6
        break;
      }
      case "end":
        this.finish();
        break;
      case "error":
        this.fail(errorOf(reply.error));
    }
    if (this.over) this.#settle();
  }

  protected failed(error: unknown): void {
    // What came before a failure of the stream is still given; who has given up gets nothing more.
    if (this.options.signal?.aborted) this.#drop();
    this.#error = { error };
    this.#settle();
  }

  #put(value: T, size: number): void {
    const waiter = this.#waiters.shift();
    if (waiter !== undefined) {
      this.stopClock();
      if (this.#waiters.length > 0) this.startClock();
      waiter.resolve({ done: false, value });
      return;
    }
    this.#items.push({ value, size });
    this.#held += size;
    if (this.#held <= this.limits.most) return;
    const { app_path, action } = this.what;
    this.giveUp(new DirtyError(`the items of ${app_path} ${action} are not taken: more than ${this.limits.most} bytes wait`));
  }

  // Once over, there is nothing left that a waiter could wait for; the first learns why.
  #settle(): void {
    const waiters = this.#waiters.splice(0);
    if (this.#error !== undefined && waiters.length > 0) {
      waiters.shift()!.reject(this.#error.error);
      this.#error = undefined;
    }
    for (const waiter of waiters) waiter.resolve({ done: true, value: undefined });
  }

  #drop(): void {
    this.#items.length = 0;
    this.#held = 0;
  }
}
