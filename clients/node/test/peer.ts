// An arbiter that does as a test says.

import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdtempSync } from "node:fs";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { DirtyClient } from "../src/index.js";
import type { ClientOptions, DirtyMessage, RequestMessage } from "../src/index.js";
import { FRAME_LIMIT, FrameReader, frame } from "../src/frame.js";

/** One connection of the client under test. */
export class Peer {
  readonly #read: DirtyMessage[] = [];
  #wake: () => void = () => undefined;
  ended = false;

  constructor(readonly socket: Socket) {
    const reader = new FrameReader(FRAME_LIMIT);
    socket.on("data", (bytes: Buffer) => {
      for (const payload of reader.push(bytes)) this.#read.push(JSON.parse(payload.toString()) as DirtyMessage);
      this.#wake();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => ((this.ended = true), this.#wake()));
  }

  /** The next message of the client. */
  async read(): Promise<DirtyMessage> {
    while (this.#read.length === 0) {
      if (this.ended) throw new Error("the client closed the connection");
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    return this.#read.shift()!;
  }

  async request(): Promise<RequestMessage> {
    const message = await this.read();
    if (message.type !== "request") throw new Error(`not a request: ${JSON.stringify(message)}`);
    return message;
  }

  /** The client has closed the connection, without another message. */
  async end(): Promise<void> {
    while (!this.ended) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (this.#read.length > 0) throw new Error(`a message before the end: ${JSON.stringify(this.#read[0])}`);
  }

  send(...messages: object[]): boolean {
    return this.raw(Buffer.concat(messages.map((it) => frame(Buffer.from(JSON.stringify(it))))));
  }

  raw(bytes: Buffer): boolean {
    return this.socket.write(bytes);
  }
}

export interface Scripted {
  client: DirtyClient;
  path: string;
  /** The next connection that the client opens. */
  accept(): Promise<Peer>;
}

export async function scripted(test: TestContext, options: ClientOptions = {}): Promise<Scripted> {
  const folder = mkdtempSync(join(tmpdir(), "dirty-"));
  const path = join(folder, "s");
  const waiting: Peer[] = [];
  const open: Socket[] = [];
  let wake: () => void = () => undefined;
  const server = createServer((socket) => {
    open.push(socket);
    waiting.push(new Peer(socket));
    wake();
  });
  server.listen(path);
  await once(server, "listening");
  const client = new DirtyClient(path, options);
  test.after(async () => {
    await client.close();
    for (const socket of open) socket.destroy();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const accept = async () => {
    while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return waiting.shift()!;
  };
  return { client, path, accept };
}
