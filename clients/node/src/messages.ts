// Made by tools/generate_messages.mjs from schemas/dirty-v1.schema.json. Do not edit.

import type { Value } from "./values.js";

/** Asks an app to run one action. Sent by a client to the arbiter, and by the arbiter to a worker; ended by exactly one response, end or error (CALL-1). */
export interface RequestMessage {
  /** The name of this message type (MSG-1). */
  type: "request";
  /** The id that every reply to this request carries (MSG-7). */
  id: RequestId;
  /** The app that is asked (MSG-8). */
  app_path: AppPath;
  /** The action that the app is asked for (MSG-9). */
  action: ActionName;
  /** The positional arguments (MSG-10). A sender always writes them (MSG-2); a receiver takes their absence as an empty array (MSG-4). */
  args?: Value[];
  /** The named arguments (MSG-10). A sender always writes them (MSG-2); a receiver takes their absence as an empty object (MSG-4). */
  kwargs?: Record<string, Value>;
  /** How long the sender is willing to wait for the first message, and then in every gap of a stream; it only ever shortens the arbiter's own limits (TIME-2). */
  timeout?: Timeout;
  /** Data about the request, such as a trace context, that every hop passes on untouched (EXT-2). */
  meta?: Record<string, Value>;
  /** Whether the sender reads hints in the replies to this request (VAL-6). */
  accept_hints?: boolean;
  /** Which strings in args and kwargs stand for values that JSON does not have (VAL-5). */
  hints?: Hints;
}

/** The plain result of a request, and its end. Sent by a worker to the arbiter, and by the arbiter to the client (CALL-2). */
export interface ResponseMessage {
  /** The name of this message type (MSG-1). */
  type: "response";
  /** The id of the request (MSG-7). */
  id: RequestId;
  /** What the action returned (MSG-2). */
  result: Value;
  /** Which strings in result stand for values that JSON does not have (VAL-5); only if the request accepted hints (VAL-6). */
  hints?: Hints;
}

/** One item of a stream. Followed by a further chunk, or by end or error (STREAM-5). Sent by a worker to the arbiter, and by the arbiter to the client. */
export interface ChunkMessage {
  /** The name of this message type (MSG-1). */
  type: "chunk";
  /** The id of the request (MSG-7). */
  id: RequestId;
  /** The item (MSG-2). */
  data: Value;
  /** Which strings in data stand for values that JSON does not have (VAL-5); only if the request accepted hints (VAL-6). */
  hints?: Hints;
}

/** The end of a stream, after any number of chunks, none included (STREAM-1, STREAM-2). Sent by a worker to the arbiter, and by the arbiter to the client. */
export interface EndMessage {
  /** The name of this message type (MSG-1). */
  type: "end";
  /** The id of the request (MSG-7). */
  id: RequestId;
}

/** The failure of a request, and its end, also in a stream (STREAM-3). Without an id it reports a message or a frame whose id could not be read (MSG-5, FRAME-7). Sent by a worker to the arbiter, and by the arbiter to the client. */
export interface ErrorMessage {
  /** The name of this message type (MSG-1). */
  type: "error";
  /** The id of the request (MSG-7), or null when no id of the message it answers may be used (MSG-12). */
  id: RequestId | null;
  /** What went wrong (MSG-12). */
  error: ErrorObject;
}

/** Asks for the end of a request in flight; ignored when the request is unknown or has ended (CANCEL-1, CANCEL-2). Sent by a client to the arbiter, and by the arbiter to a worker. */
export interface CancelMessage {
  /** The name of this message type (MSG-1). */
  type: "cancel";
  /** The id of the request to cancel (MSG-7). */
  id: RequestId;
}

/** What went wrong: a type for programs, a message for people, and details (MSG-12). */
export interface ErrorObject {
  /** The type of the error (MSG-12). */
  error_type: ErrorType;
  /** What went wrong, in words; it can be empty (MSG-12). */
  message: string;
  /** Particulars of the error; it can be empty (MSG-12). */
  details: ErrorDetails;
}

/** The type of an error. The examples are all the registered names, and a sender uses no other (ERR-1); a receiver reads a name it does not know as DirtyError (ERR-2). */
export type ErrorType = "DirtyError" | "DirtyTimeoutError" | "DirtyConnectionError" | "DirtyWorkerError" | "DirtyAppError" | "DirtyAppNotFoundError" | "DirtyNoWorkersAvailableError" | "DirtyProtocolError" | "DirtyOverloadedError" | "DirtyCancelledError" | (string & {});

/** Particulars of an error. Every member is optional; the registered ones keep their meaning and type (ERR-9), further ones are kept. */
export interface ErrorDetails {
  /** The app that was asked (ERR-9). */
  app_path?: AppPath;
  /** The action that was asked for (ERR-9). */
  action?: ActionName;
  /** Where in the app the error was raised, as the app's language writes it (ERR-9, ERR-5). */
  traceback?: string;
  /** The limit that was exceeded (ERR-9, TIME-1). */
  timeout?: Seconds;
  /** In which phase of the request a limit was exceeded (ERR-9, TIME-1). */
  phase?: Phase;
  /** The worker on which the request ran (ERR-9). */
  worker_id?: number;
  /** The number of the signal that ended the worker (ERR-9, ERR-6). */
  signal?: number;
  /** The exit status of the worker (ERR-9, ERR-6). */
  exit_code?: number;
  /** When the same request may be worth another try, counted from now (ERR-9, POOL-3). */
  retry_after?: Seconds;
  /** The start of what could not be read (ERR-9). */
  raw_data?: RawData;
  /** A JSON Pointer (RFC 6901) to what was wrong in the message (ERR-9, MSG-13). */
  pointer?: string;
  /** The id of the requirement that was broken (ERR-9, MSG-13). */
  requirement?: string;
  /** The id of a request that was refused because the id is still in flight (ERR-9, CORR-6). */
  id?: RequestId;
  [member: string]: unknown;
}

/** The phase of a request in which its limit was exceeded: waiting for a free worker slot, waiting for a worker to boot, running, or streaming. The examples are all the registered names (TIME-1, TIME-7); a receiver accepts others. */
export type Phase = "queue" | "boot" | "run" | "stream" | (string & {});

/** The id of a request: 1 to 256 Unicode characters, opaque, chosen by the client, and unique among the requests in flight on its connection (MSG-7, CORR-6, CORR-8). */
export type RequestId = string;

/** The name of an app: 1 to 1024 Unicode characters, such as module:Class, opaque to all but the worker that serves it (MSG-8). */
export type AppPath = string;

/** The name of an action of an app: 1 to 256 Unicode characters (MSG-9). */
export type ActionName = string;

/** At most 100 bytes, written as two lower-case hexadecimal digits each (ERR-9). */
export type RawData = string;

/** A duration in seconds, longer than nothing and at most a thousand million (TIME-2). */
export type Timeout = number;

/** A duration in seconds, at most a thousand million (ERR-9). */
export type Seconds = number;

/** A JSON Pointer (RFC 6901) into the same message, starting with /args, /kwargs, /result or /data, to what the string at that place stands for (VAL-5). */
export type Hints = Record<string, Hint>;

/** What a string stands for: base64 for bytes (RFC 4648, section 4), int for an integer in decimal, float for NaN, Infinity or -Infinity (VAL-5). */
export type Hint = "base64" | "int" | "float";

/** One message of the dirty protocol, version 1, as a receiver accepts it. Members that are not described here are ignored (MSG-3). The text of a message has rules of its own that a JSON Schema cannot state: no repeated top-level member (MSG-6), no NaN or Infinity literal (VAL-2), bounded nesting (VAL-3), and no lone surrogate in the strings described here (VAL-8). */
export type DirtyMessage = RequestMessage | ResponseMessage | ChunkMessage | EndMessage | ErrorMessage | CancelMessage;

/** The definitions of the schema, for the checker. */
export const definitions = {
  "RequestMessage": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "request"
      },
      "id": {
        "$ref": "#/$defs/RequestId"
      },
      "app_path": {
        "$ref": "#/$defs/AppPath"
      },
      "action": {
        "$ref": "#/$defs/ActionName"
      },
      "args": {
        "type": "array",
        "items": {
          "$ref": "#/$defs/JsonValue"
        }
      },
      "kwargs": {
        "type": "object",
        "additionalProperties": {
          "$ref": "#/$defs/JsonValue"
        }
      },
      "timeout": {
        "$ref": "#/$defs/Timeout"
      },
      "meta": {
        "type": "object",
        "additionalProperties": {
          "$ref": "#/$defs/JsonValue"
        }
      },
      "accept_hints": {
        "type": "boolean"
      },
      "hints": {
        "$ref": "#/$defs/Hints"
      }
    },
    "required": [
      "type",
      "id",
      "app_path",
      "action"
    ]
  },
  "ResponseMessage": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "response"
      },
      "id": {
        "$ref": "#/$defs/RequestId"
      },
      "result": {
        "$ref": "#/$defs/JsonValue"
      },
      "hints": {
        "$ref": "#/$defs/Hints"
      }
    },
    "required": [
      "type",
      "id",
      "result"
    ]
  },
  "ChunkMessage": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "chunk"
      },
      "id": {
        "$ref": "#/$defs/RequestId"
      },
      "data": {
        "$ref": "#/$defs/JsonValue"
      },
      "hints": {
        "$ref": "#/$defs/Hints"
      }
    },
    "required": [
      "type",
      "id",
      "data"
    ]
  },
  "EndMessage": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "end"
      },
      "id": {
        "$ref": "#/$defs/RequestId"
      }
    },
    "required": [
      "type",
      "id"
    ]
  },
  "ErrorMessage": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "error"
      },
      "id": {
        "anyOf": [
          {
            "$ref": "#/$defs/RequestId"
          },
          {
            "type": "null"
          }
        ]
      },
      "error": {
        "$ref": "#/$defs/ErrorObject"
      }
    },
    "required": [
      "type",
      "id",
      "error"
    ]
  },
  "CancelMessage": {
    "type": "object",
    "properties": {
      "type": {
        "type": "string",
        "const": "cancel"
      },
      "id": {
        "$ref": "#/$defs/RequestId"
      }
    },
    "required": [
      "type",
      "id"
    ]
  },
  "ErrorObject": {
    "type": "object",
    "properties": {
      "error_type": {
        "$ref": "#/$defs/ErrorType"
      },
      "message": {
        "type": "string"
      },
      "details": {
        "$ref": "#/$defs/ErrorDetails"
      }
    },
    "required": [
      "error_type",
      "message",
      "details"
    ]
  },
  "ErrorType": {
    "type": "string"
  },
  "ErrorDetails": {
    "type": "object",
    "properties": {
      "app_path": {
        "$ref": "#/$defs/AppPath"
      },
      "action": {
        "$ref": "#/$defs/ActionName"
      },
      "traceback": {
        "type": "string"
      },
      "timeout": {
        "$ref": "#/$defs/Seconds"
      },
      "phase": {
        "$ref": "#/$defs/Phase"
      },
      "worker_id": {
        "type": "integer",
        "minimum": 0,
        "maximum": 4294967295
      },
      "signal": {
        "type": "integer",
        "minimum": 0,
        "maximum": 255
      },
      "exit_code": {
        "type": "integer",
        "minimum": 0,
        "maximum": 255
      },
      "retry_after": {
        "$ref": "#/$defs/Seconds"
      },
      "raw_data": {
        "$ref": "#/$defs/RawData"
      },
      "pointer": {
        "type": "string"
      },
      "requirement": {
        "type": "string"
      },
      "id": {
        "$ref": "#/$defs/RequestId"
      }
    },
    "additionalProperties": true
  },
  "Phase": {
    "type": "string"
  },
  "RequestId": {
    "type": "string",
    "minLength": 1,
    "maxLength": 256
  },
  "AppPath": {
    "type": "string",
    "minLength": 1,
    "maxLength": 1024
  },
  "ActionName": {
    "type": "string",
    "minLength": 1,
    "maxLength": 256
  },
  "RawData": {
    "type": "string",
    "maxLength": 200
  },
  "Timeout": {
    "type": "number",
    "exclusiveMinimum": 0,
    "maximum": 1000000000
  },
  "Seconds": {
    "type": "number",
    "minimum": 0,
    "maximum": 1000000000
  },
  "Hints": {
    "type": "object",
    "additionalProperties": {
      "$ref": "#/$defs/Hint"
    }
  },
  "Hint": {
    "type": "string",
    "enum": [
      "base64",
      "int",
      "float"
    ]
  },
  "JsonValue": {
    "type": [
      "null",
      "boolean",
      "number",
      "string",
      "array",
      "object"
    ]
  }
} as const;

/** The name of each message type's definition. */
export const messageTypes = {
  "request": "RequestMessage",
  "response": "ResponseMessage",
  "chunk": "ChunkMessage",
  "end": "EndMessage",
  "error": "ErrorMessage",
  "cancel": "CancelMessage"
} as const;

/** The requirement that a wrong member breaks, by definition and member. */
export const requirements = {
  "RequestMessage": {
    "type": "MSG-1",
    "id": "MSG-7",
    "app_path": "MSG-8",
    "action": "MSG-9",
    "args": "MSG-10",
    "kwargs": "MSG-10",
    "timeout": "TIME-2",
    "meta": "EXT-2",
    "accept_hints": "VAL-6",
    "hints": "VAL-5"
  },
  "ResponseMessage": {
    "type": "MSG-1",
    "id": "MSG-7",
    "result": "MSG-2",
    "hints": "VAL-5"
  },
  "ChunkMessage": {
    "type": "MSG-1",
    "id": "MSG-7",
    "data": "MSG-2",
    "hints": "VAL-5"
  },
  "EndMessage": {
    "type": "MSG-1",
    "id": "MSG-7"
  },
  "ErrorMessage": {
    "type": "MSG-1",
    "id": "MSG-7",
    "error": "MSG-12"
  },
  "CancelMessage": {
    "type": "MSG-1",
    "id": "MSG-7"
  },
  "ErrorObject": {
    "error_type": "MSG-12",
    "message": "MSG-12",
    "details": "MSG-12"
  },
  "ErrorDetails": {
    "app_path": "ERR-9",
    "action": "ERR-9",
    "traceback": "ERR-9",
    "timeout": "ERR-9",
    "phase": "ERR-9",
    "worker_id": "ERR-9",
    "signal": "ERR-9",
    "exit_code": "ERR-9",
    "retry_after": "ERR-9",
    "raw_data": "ERR-9",
    "pointer": "ERR-9",
    "requirement": "ERR-9",
    "id": "ERR-9"
  }
} as const;
