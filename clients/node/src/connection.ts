import { createConnection } from "node:net";
import type { Socket } from "node:net";

import type { Call } from "./call.js";
import { checkMessage } from "./check.js";
import { DirtyConnectionError, DirtyProtocolError, errorOf } from "./errors.js";
import type { DirtyError } from "./errors.js";
import { FrameReader, frame } from "./frame.js";
import { badMessage, parsePayload } from "./json.js";

/** One connection to an arbiter, shared by any number of calls, which their ids tell apart. */
export class Connection {
  // The calls whose terminal message is still to come. `undefined`: nobody waits for it any more (CORR-3).
  readonly #calls = new Map<string, Call | undefined>();
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  // What the arbiter last reported about the connection itself (CORR-10).
  #report: DirtyError | undefined;
  #closed = false;

  static open(path: string, frameLimit: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(path);
      const refuse = (cause: Error) =>
        reject(new DirtyConnectionError(`failed to connect to ${path}: ${cause.message}`, {}, { cause }));
      socket.once("error", refuse);
      socket.once("connect", () => {
        socket.off("error", refuse);
        resolve(new Connection(socket, frameLimit));
      });
    });
  }

  private constructor(socket: Socket, frameLimit: number) {
    this.#socket = socket;
    this.#reader = new FrameReader(frameLimit);
    let cause: Error | undefined;
    socket.unref(); // an idle connection keeps no program alive
    socket.on("data", (bytes: Buffer) => this.#guard(() => this.#read(bytes)));
    socket.on("error", (error) => (cause = error));
    socket.on("close", () => {
      this.#guard(() => this.#reader.end());
      this.close(this.#lost(cause));
    });
  }

  /** Whether further calls can be made on it. */
  get usable(): boolean {
    return !this.#closed && this.#socket.writable;
  }

  /** Sends the request of a call, which gets every reply from now on. */
  send(call: Call, payload: Buffer): void {
    if (this.#closed) return call.fail(new DirtyConnectionError("the connection was closed"));
    this.#calls.set(call.id, call);
    this.#socket.ref();
    this.#socket.write(frame(payload));
    this.flow();
  }

  /** Cancels a call that nobody waits for any more; what still comes for it is dropped (CORR-3, STREAM-7). */
  abandon(id: string): void {
    if (this.#closed || !this.#calls.has(id)) return;
    this.#calls.set(id, undefined);
    this.#socket.write(frame(Buffer.from(JSON.stringify({ type: "cancel", id }))));
    this.flow();
  }

  /** Closes the connection; calls in flight fail with `why`. */
  close(why: DirtyError): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.destroy();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call?.fail(why);
  }

  /**
   * Stops reading while some stream's caller has not taken what came, unless another caller waits for something:
   * then reading goes on, or a caller who calls between two items would wait for ever.
   */
  flow(): void {
    if (this.#closed) return;
    let full = false;
    let awaited = false;
    for (const call of this.#calls.values()) {
      full ||= call?.full ?? false;
      awaited ||= call?.awaited ?? false;
    }
    if (full && !awaited) this.#socket.pause();
    else if (this.#socket.isPaused()) this.#socket.resume();
  }

  #read(bytes: Buffer): void {
    for (const payload of this.#reader.push(bytes)) {
      if (this.#closed) return;
      this.#take(payload);
    }
    this.flow();
  }

  #take(payload: Buffer): void {
    const message = checkMessage(parsePayload(payload));
    if (message.type === "request" || message.type === "cancel") {
      throw badMessage(`an arbiter sends no ${message.type}`, "/type", "MSG-11");
    }
    if (message.type === "error" && message.id === null) {
      this.#report = errorOf(message.error);
      return;
    }
    const id = message.id!; // null in errors only
    if (!this.#calls.has(id)) {
      throw new DirtyProtocolError(`a ${message.type} came for an id that is not in flight (CORR-4)`, {
        requirement: "CORR-4",
      });
    }
    const call = this.#calls.get(id);
    if (message.type !== "chunk") this.#calls.delete(id);
    if (this.#calls.size === 0) this.#socket.unref();
    call?.take(message, payload.length);
  }

  // Whoever breaks the protocol loses the connection (FRAME-12, MSG-14, CORR-4).
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof DirtyProtocolError)) throw error;
      this.close(error);
    }
  }

  #lost(cause: Error | undefined): DirtyError {
    const ended = cause ? `the connection was lost: ${cause.message}` : "the arbiter closed the connection";
    if (this.#report === undefined) return new DirtyConnectionError(ended, {}, { cause });
    const { message, details } = this.#report;
    return new DirtyProtocolError(`${ended}, after it reported: ${message}`, details, { cause: this.#report });
  }
}
