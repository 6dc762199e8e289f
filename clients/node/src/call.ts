import { randomUUID } from "node:crypto";

import type { Connection } from "./connection.js";
import { DirtyCancelledError, DirtyError, DirtyProtocolError, DirtyTimeoutError, errorOf } from "./errors.js";
import type { ChunkMessage, EndMessage, ErrorMessage, ResponseMessage } from "./messages.js";
import { applyHints } from "./values.js";
import type { Value } from "./values.js";

export type Reply = ResponseMessage | ChunkMessage | EndMessage | ErrorMessage;

/** What a caller may say about one call. */
export interface CallOptions {
  /** Named arguments. */
  kwargs?: Record<string, unknown>;
  /**
   * How long the caller waits, in milliseconds: for the result, or for each item of a stream. Then the call is
   * cancelled, and fails with `DirtyTimeoutError`. The arbiter is told, too.
   */
  timeoutMs?: number;
  /** Cancels the call, which then fails with `DirtyCancelledError`. */
  signal?: AbortSignal;
  /** Data about the request, such as a trace context, that the arbiter passes on to the worker (EXT-2). */
  meta?: Record<string, unknown>;
}

const LONGEST_TIMER = 2 ** 31 - 1;

/** One request in flight, seen by its caller. */
export abstract class Call {
  readonly id = randomUUID(); // CORR-8
  #connection: Connection | undefined;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  protected constructor(
    readonly what: { app_path: string; action: string },
    readonly options: CallOptions,
  ) {
    options.signal?.addEventListener("abort", this.abort);
  }

  /** Whether the caller has not taken as much as one call may hold back. */
  abstract readonly full: boolean;
  /** Whether the caller waits for something at this moment. */
  abstract readonly awaited: boolean;
  /** A reply came, of `size` bytes. Throws `DirtyProtocolError` when the reply breaks the protocol. */
  abstract take(reply: Reply, size: number): void;
  /** Tells the caller; called once. */
  protected abstract failed(error: unknown): void;

  get over(): boolean {
    return this.#over;
  }

  /** Sends the request on a connection, unless the caller has given up meanwhile. */
  begin(connection: Connection, payload: Buffer): void {
    if (this.#over) return;
    this.#connection = connection;
    connection.send(this, payload);
  }

  /** The call is over because of this. */
  fail(error: unknown): void {
    if (this.#over) return;
    this.finish();
    this.failed(error);
  }

  /** Nobody waits for the call any more: it is cancelled. */
  protected abandon(): void {
    this.finish();
    this.#connection?.abandon(this.id);
  }

  protected finish(): void {
    this.#over = true;
    this.stopClock();
    this.options.signal?.removeEventListener("abort", this.abort);
  }

  protected startClock(): void {
    const { timeoutMs } = this.options;
    if (timeoutMs === undefined || this.#over) return;
    this.#timer = setTimeout(() => {
      const timeout = timeoutMs / 1000;
      const { app_path, action } = this.what;
      this.giveUp(new DirtyTimeoutError(`no reply from ${app_path} ${action} within ${timeout} s`, { ...this.what, timeout }));
    }, Math.min(timeoutMs, LONGEST_TIMER));
  }

  protected stopClock(): void {
    clearTimeout(this.#timer);
  }

  protected flow(): void {
    this.#connection?.flow();
  }

  /** The value of a reply; when its hints lie, the call fails, and nothing else does. */
  protected value(reply: ResponseMessage | ChunkMessage): { value: Value } | undefined {
    try {
      if (reply.hints) applyHints(reply, reply.type === "response" ? "result" : "data", reply.hints);
      return { value: reply.type === "response" ? reply.result : reply.data };
    } catch (error) {
      if (!(error instanceof DirtyProtocolError)) throw error;
      this.giveUp(error);
      return undefined;
    }
  }

  /** The call is over for its caller because of this, and is cancelled. */
  protected giveUp(error: unknown): void {
    if (this.#over) return;
    this.abandon();
    this.failed(error);
  }

  /** What happens when the caller's signal fires. */
  readonly abort = () => {
    const cause: unknown = this.options.signal?.reason;
    this.giveUp(new DirtyCancelledError("the caller cancelled the call", { ...this.what }, { cause }));
  };
}

/** A call whose caller waits for one result. */
export class SingleCall<T> extends Call {
  readonly full = false;
  readonly awaited = true;
  readonly result: Promise<T>;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor(what: { app_path: string; action: string }, options: CallOptions) {
    super(what, options);
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.startClock();
  }

  take(reply: Reply): void {
    if (reply.type === "error") {
      this.fail(errorOf(reply.error));
    } else if (reply.type === "response") {
      const got = this.value(reply);
      if (got === undefined) return;
      this.finish();
      this.#resolve(got.value as T);
    } else {
      const { app_path, action } = this.what;
      this.giveUp(new DirtyError(`${app_path} ${action} answers with a stream: call it with stream() (CALL-9)`, this.what));
    }
  }

  protected failed(error: unknown): void {
    this.#reject(error);
  }
}
