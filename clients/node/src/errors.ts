import type { AppPath, ErrorDetails, ErrorObject, Phase, Seconds } from "./messages.js";

/** Any failure of a call; the kinds below are subclasses. A type that this client does not know is a plain one (ERR-2). */
export class DirtyError extends Error {
  /** The name of the type on the wire. */
  readonly errorType: string;
  /** Particulars for programs, as they were sent; the getters of the subclasses read the registered ones. */
  readonly details: ErrorDetails;

  constructor(message: string, details: ErrorDetails = {}, options?: ErrorOptions) {
    super(message, options);
    this.errorType = new.target.name;
    this.name = new.target.name;
    this.details = details;
  }

  /** The app of the request, if the error is about one. */
  get appPath(): AppPath | undefined {
    return this.details.app_path;
  }

  /** The action of the request, if the error is about one. */
  get action(): string | undefined {
    return this.details.action;
  }
}

/** A time limit passed: one of the arbiter's, or the caller's own. */
export class DirtyTimeoutError extends DirtyError {
  /** The limit, in seconds. */
  get timeout(): Seconds | undefined {
    return this.details.timeout;
  }

  /** What the request was doing; not known when the limit was the caller's own. */
  get phase(): Phase | undefined {
    return this.details.phase;
  }
}

/** The arbiter cannot be reached, or the connection ended. The request may have been executed. */
export class DirtyConnectionError extends DirtyError {}

/** The worker died, or broke the protocol, while it ran the request. */
export class DirtyWorkerError extends DirtyError {
  get workerId(): number | undefined {
    return this.details.worker_id;
  }

  /** The number of the signal that killed the worker. */
  get signal(): number | undefined {
    return this.details.signal;
  }

  get exitCode(): number | undefined {
    return this.details.exit_code;
  }
}

/** The action raised, does not exist, or its result cannot be sent. */
export class DirtyAppError extends DirtyError {
  /** The stack of the exception, in the language of the app; many hosts keep it to themselves. */
  get traceback(): string | undefined {
    return this.details.traceback;
  }
}

/** No such app is served. */
export class DirtyAppNotFoundError extends DirtyError {}

/** The app is served, but its workers cannot be started, or the arbiter is stopping. */
export class DirtyNoWorkersAvailableError extends DirtyError {}

/** Somebody broke the protocol; `cause` is the arbiter's own report, if there was one. */
export class DirtyProtocolError extends DirtyError {
  /** The beginning of the bytes that were no frame, in hex. */
  get rawData(): string | undefined {
    return this.details.raw_data;
  }

  /** A JSON Pointer to what was wrong in a message. */
  get pointer(): string | undefined {
    return this.details.pointer;
  }

  /** The id of the requirement that was broken. */
  get requirement(): string | undefined {
    return this.details.requirement;
  }
}

/** The queue of the app is full, or too many clients are connected. */
export class DirtyOverloadedError extends DirtyError {
  /** When another try may help, in seconds from now. */
  get retryAfter(): Seconds | undefined {
    return this.details.retry_after;
  }
}

/** The request was cancelled; `cause` is the reason of the caller's `AbortSignal`, if that did it. */
export class DirtyCancelledError extends DirtyError {}

const kinds: Record<string, typeof DirtyError> = {
  DirtyTimeoutError,
  DirtyConnectionError,
  DirtyWorkerError,
  DirtyAppError,
  DirtyAppNotFoundError,
  DirtyNoWorkersAvailableError,
  DirtyProtocolError,
  DirtyOverloadedError,
  DirtyCancelledError,
};

/** The error that an `error` message tells of. */
export function errorOf(error: ErrorObject): DirtyError {
  const Kind = Object.hasOwn(kinds, error.error_type) ? kinds[error.error_type]! : DirtyError;
  return new Kind(error.message, error.details);
}
