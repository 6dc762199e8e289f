export { DirtyClient, discoverSocket } from "./client.js";
export type { ClientOptions } from "./client.js";
export type { CallOptions } from "./call.js";
export {
  DirtyAppError,
  DirtyAppNotFoundError,
  DirtyCancelledError,
  DirtyConnectionError,
  DirtyError,
  DirtyNoWorkersAvailableError,
  DirtyOverloadedError,
  DirtyProtocolError,
  DirtyTimeoutError,
  DirtyWorkerError,
} from "./errors.js";
export type { DirtyStream } from "./stream.js";
export type { Value } from "./values.js";
export type * from "./messages.js";
