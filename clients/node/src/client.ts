import { SingleCall } from "./call.js";
import type { Call, CallOptions } from "./call.js";
import { Connection } from "./connection.js";
import { DirtyConnectionError } from "./errors.js";
import { FRAME_LIMIT } from "./frame.js";
import { DirtyStream } from "./stream.js";
import { Encoder } from "./values.js";
import type { Value } from "./values.js";

/** What a client may be told when it is made; `timeoutMs` and `meta` hold for every call. */
export interface ClientOptions extends Pick<CallOptions, "timeoutMs" | "meta"> {
  /** The largest payload that is sent or read, in bytes. */
  maxFrame?: number;
  /** How many bytes of a stream are held for a caller who does not take them, before the socket is left unread. */
  streamBuffer?: number;
  /** Whether bytes, large integers, NaN and the infinities can be sent and are asked for (VAL-5). */
  hints?: boolean;
}

/** The socket of the arbiter: `DIRTY_SOCKET`, `GUNICORN_DIRTY_SOCKET`, or the one in the user's run-time directory. */
export function discoverSocket(env: NodeJS.ProcessEnv = process.env): string {
  const named = env["DIRTY_SOCKET"] || env["GUNICORN_DIRTY_SOCKET"];
  if (named) return named;
  if (env["XDG_RUNTIME_DIR"]) return `${env["XDG_RUNTIME_DIR"]}/dirty/arbiter.sock`;
  throw new DirtyConnectionError(
    "failed to find the arbiter: give its socket, or set DIRTY_SOCKET, GUNICORN_DIRTY_SOCKET or XDG_RUNTIME_DIR",
  );
}

/**
 * A client of the arbiter at one socket. It connects at the first call, and again at the first call after the
 * connection was lost; all calls share one connection. An idle client keeps no program alive.
 */
export class DirtyClient {
  readonly #shared: Shared;
  readonly #options: CallOptions;

  constructor(path?: string, options?: ClientOptions);
  /** @internal */
  constructor(shared: Shared, options: CallOptions);
  constructor(at: string | Shared = discoverSocket(), options: ClientOptions & CallOptions = {}) {
    this.#shared = typeof at === "string" ? new Shared(at, options) : at;
    this.#options = checked(options);
  }

  /**
   * Runs an action and gives its result. Rejects with a `DirtyError`, or with a `TypeError` or `RangeError` when the
   * arguments cannot be sent.
   */
  async execute<T = Value>(appPath: string, action: string, ...args: unknown[]): Promise<T> {
    const call = new SingleCall<T>({ app_path: appPath, action }, this.#options);
    this.#shared.start(call, args);
    return call.result;
  }

  /** Runs an action and gives its items as they come; a plain result is an item, too (STREAM-6). */
  stream<T = Value>(appPath: string, action: string, ...args: unknown[]): DirtyStream<T> {
    const { streamBuffer, maxFrame } = this.#shared;
    const limits = { buffer: streamBuffer, most: Math.max(maxFrame, streamBuffer) };
    const stream = new DirtyStream<T>({ app_path: appPath, action }, this.#options, limits);
    this.#shared.start(stream, args);
    return stream;
  }

  /** The same client, on the same connection, for calls with these options. */
  with(options: CallOptions): DirtyClient {
    return new DirtyClient(this.#shared, { ...this.#options, ...options });
  }

  /** Closes the connection; calls in flight fail with `DirtyConnectionError`. A later call connects again. */
  async close(): Promise<void> {
    await this.#shared.close();
  }
}

function checked({ kwargs, timeoutMs, signal, meta }: CallOptions): CallOptions {
  if (timeoutMs !== undefined && !(timeoutMs > 0 && timeoutMs <= 1e12)) {
    throw new RangeError(`timeoutMs is ${timeoutMs}: expected a number above 0 and at most 1e12 (TIME-2)`);
  }
  return {
    ...(kwargs && { kwargs }),
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(signal && { signal }),
    ...(meta && { meta }),
  };
}

/** What the clients made by `with` have in common. */
class Shared {
  readonly maxFrame: number;
  readonly streamBuffer: number;
  readonly #hints: boolean;
  #open: Connection | undefined;
  #opening: Promise<Connection> | undefined;

  constructor(
    readonly path: string,
    { maxFrame = FRAME_LIMIT, streamBuffer = 1 << 20, hints = true }: ClientOptions,
  ) {
    this.maxFrame = maxFrame;
    this.streamBuffer = streamBuffer;
    this.#hints = hints;
  }

  start(call: Call, args: unknown[]): void {
    if (call.options.signal?.aborted) return call.abort();
    try {
      const payload = this.#encode(call, args);
      // At once when there is a connection: requests go out in the order of the calls.
      if (this.#open?.usable) call.begin(this.#open, payload);
      else this.#connect().then((connection) => call.begin(connection, payload), (error: unknown) => call.fail(error));
    } catch (error) {
      call.fail(error);
    }
  }

  async close(): Promise<void> {
    await this.#opening?.catch(() => undefined);
    this.#open?.close(new DirtyConnectionError("the client was closed"));
  }

  #connect(): Promise<Connection> {
    this.#opening ??= Connection.open(this.path, this.maxFrame)
      .then((connection) => (this.#open = connection))
      .finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  #encode({ id, what, options }: Call, args: unknown[]): Buffer {
    const encoder = new Encoder(this.#hints);
    const members = [
      `"type":"request","id":"${id}"`,
      `"app_path":${JSON.stringify(what.app_path)},"action":${JSON.stringify(what.action)}`,
      `"args":${encoder.encode(args, "/args")},"kwargs":${encoder.encode(options.kwargs ?? {}, "/kwargs")}`,
    ];
    if (options.timeoutMs !== undefined) members.push(`"timeout":${options.timeoutMs / 1000}`);
    if (options.meta !== undefined) members.push(`"meta":${new Encoder(false).encode(options.meta, "/meta")}`);
    if (this.#hints) members.push(`"accept_hints":true`);
    if (Object.keys(encoder.hints).length > 0) members.push(`"hints":${JSON.stringify(encoder.hints)}`);
    const payload = Buffer.from(`{${members.join(",")}}`);
    if (payload.length > this.maxFrame) {
      throw new RangeError(`failed to send the request: ${payload.length} bytes, ${this.maxFrame} are allowed (FRAME-3)`);
    }
    return payload;
  }
}
