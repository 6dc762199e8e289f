import { DirtyProtocolError } from "./errors.js";

/** The largest payload of a frame, in bytes, unless configured otherwise (FRAME-3). */
export const FRAME_LIMIT = 67_108_864;

/** The frame of a payload (FRAME-1). */
export function frame(payload: Buffer): Buffer {
  const header = Buffer.allocUnsafe(4);
  header.writeUInt32BE(payload.length);
  return Buffer.concat([header, payload]);
}

/** Cuts bytes, however they arrive, into payloads (FRAME-5). Holds no more than what has arrived (FRAME-6). */
export class FrameReader {
  #parts: Buffer[] = [];
  #held = 0;

  constructor(readonly limit: number) {}

  /** The payloads that these bytes complete. Throws `DirtyProtocolError` on a bad length, at once (FRAME-4). */
  *push(bytes: Buffer): Generator<Buffer> {
    this.#parts.push(bytes);
    this.#held += bytes.length;
    while (this.#held >= 4) {
      const length = this.#header();
      if (length < 1 || length > this.limit) {
        throw badFrame(`a frame of ${length} bytes; 1 to ${this.limit} are allowed`, "FRAME-3", this.#joined());
      }
      if (this.#held < 4 + length) return;
      const all = this.#joined();
      this.#parts = [all.subarray(4 + length)];
      this.#held -= 4 + length;
      yield all.subarray(4, 4 + length);
    }
  }

  /** Throws `DirtyProtocolError` when the bytes end inside a frame (FRAME-9). */
  end(): void {
    if (this.#held > 0) throw badFrame("the connection ended inside a frame", "FRAME-9", this.#joined());
  }

  #header(): number {
    return (this.#parts[0]!.length >= 4 ? this.#parts[0]! : this.#joined()).readUInt32BE(0);
  }

  #joined(): Buffer {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0]!;
  }
}

/** The error for bytes that are no frame; `raw_data` shows how they begin. */
export function badFrame(what: string, requirement: string, bytes: Buffer): DirtyProtocolError {
  return new DirtyProtocolError(`failed to read a frame: ${what} (${requirement})`, {
    requirement,
    raw_data: bytes.subarray(0, 100).toString("hex"),
  });
}
