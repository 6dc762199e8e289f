package dirty

import (
	"context"
	"fmt"
)

// DirtyError is any failure of a call, and the part that all kinds have in common:
// errors.As finds it in every one of them. A type that this client does not
// know is a plain DirtyError (ERR-2).
type DirtyError struct {
	Type    string         // the name of the type on the wire
	Message string         // what happened, for people
	Details map[string]any // particulars for programs; the kinds below have the registered ones as fields
	Cause   error          // what led to it, may be nil
}

func (e *DirtyError) Error() string { return e.Type + ": " + e.Message }

// Unwrap gives the cause: errors.Is finds context.Canceled, context.DeadlineExceeded and errors of the operating system.
func (e *DirtyError) Unwrap() error { return e.Cause }

func (e *DirtyError) text(member string) string {
	text, _ := e.Details[member].(string)
	return text
}

func (e *DirtyError) seconds(member string) float64 {
	switch number := e.Details[member].(type) {
	case int64:
		return float64(number)
	case float64:
		return number
	}
	return 0
}

func (e *DirtyError) integer(member string) (int, bool) {
	number, ok := e.Details[member].(int64)
	return int(number), ok
}

// TimeoutError: a time limit passed, one of the arbiter's or the caller's own.
type TimeoutError struct{ *DirtyError }

// ConnectionError: the arbiter cannot be reached, or the connection ended. The request may have been executed.
type ConnectionError struct{ *DirtyError }

// WorkerError: the worker died, or broke the protocol, while it ran the request.
type WorkerError struct{ *DirtyError }

// AppError: the action raised, does not exist, or its result cannot be sent.
type AppError struct{ *DirtyError }

// AppNotFoundError: no such app is served.
type AppNotFoundError struct{ *DirtyError }

// NoWorkersAvailableError: the app is served, but its workers cannot be started, or the arbiter is stopping.
type NoWorkersAvailableError struct{ *DirtyError }

// ProtocolError: somebody broke the protocol; Cause is the arbiter's own report, if there was one.
type ProtocolError struct{ *DirtyError }

// OverloadedError: the queue of the app is full, or too many clients are connected.
type OverloadedError struct{ *DirtyError }

// CancelledError: the request was cancelled.
type CancelledError struct{ *DirtyError }

// Timeout is the limit, in seconds.
func (e *TimeoutError) Timeout() float64 { return e.seconds("timeout") }

// Is makes every time-out a context.DeadlineExceeded: which of the two clocks, the caller's or the arbiter's, is first to
// see that the same limit has passed is chance.
func (e *TimeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// Phase is what the request was doing: queue, boot, run or stream; empty when the limit was the caller's own.
func (e *TimeoutError) Phase() string { return e.text("phase") }

// WorkerID is the worker that the request ran on, if it is known.
func (e *WorkerError) WorkerID() (int, bool) { return e.integer("worker_id") }

// Signal is the number of the signal that killed the worker, if one did.
func (e *WorkerError) Signal() (int, bool) { return e.integer("signal") }

// ExitCode is the exit code of the worker, if it had one.
func (e *WorkerError) ExitCode() (int, bool) { return e.integer("exit_code") }

// AppPath is the app of the request.
func (e *AppError) AppPath() string { return e.text("app_path") }

// Action is the action of the request.
func (e *AppError) Action() string { return e.text("action") }

// Traceback is the stack of the exception in the language of the app; many hosts keep it to themselves.
func (e *AppError) Traceback() string { return e.text("traceback") }

// AppPath is the app that nobody serves.
func (e *AppNotFoundError) AppPath() string { return e.text("app_path") }

// RawData is the beginning of the bytes that were no frame, in hex.
func (e *ProtocolError) RawData() string { return e.text("raw_data") }

// Pointer is a JSON Pointer to what was wrong in a message.
func (e *ProtocolError) Pointer() string { return e.text("pointer") }

// Requirement is the id of the requirement that was broken.
func (e *ProtocolError) Requirement() string { return e.text("requirement") }

// RetryAfter says when another try may help, in seconds from now.
func (e *OverloadedError) RetryAfter() float64 { return e.seconds("retry_after") }

// The kinds find their common part by errors.As.
func (e *TimeoutError) Unwrap() error            { return e.DirtyError }
func (e *ConnectionError) Unwrap() error         { return e.DirtyError }
func (e *WorkerError) Unwrap() error             { return e.DirtyError }
func (e *AppError) Unwrap() error                { return e.DirtyError }
func (e *AppNotFoundError) Unwrap() error        { return e.DirtyError }
func (e *NoWorkersAvailableError) Unwrap() error { return e.DirtyError }
func (e *ProtocolError) Unwrap() error           { return e.DirtyError }
func (e *OverloadedError) Unwrap() error         { return e.DirtyError }
func (e *CancelledError) Unwrap() error          { return e.DirtyError }

// newError gives the kind of error that a type names.
func newError(name, message string, details map[string]any, cause error) error {
	common := &DirtyError{name, message, details, cause}
	switch name {
	case "DirtyTimeoutError":
		return &TimeoutError{common}
	case "DirtyConnectionError":
		return &ConnectionError{common}
	case "DirtyWorkerError":
		return &WorkerError{common}
	case "DirtyAppError":
		return &AppError{common}
	case "DirtyAppNotFoundError":
		return &AppNotFoundError{common}
	case "DirtyNoWorkersAvailableError":
		return &NoWorkersAvailableError{common}
	case "DirtyProtocolError":
		return &ProtocolError{common}
	case "DirtyOverloadedError":
		return &OverloadedError{common}
	case "DirtyCancelledError":
		return &CancelledError{common}
	}
	common.Type = "DirtyError"
	return common
}

func badFrame(requirement string, bytes []byte, format string, arguments ...any) error {
	if len(bytes) > 100 {
		bytes = bytes[:100]
	}
	details := map[string]any{"requirement": requirement, "raw_data": fmt.Sprintf("%x", bytes)}
	return newError("DirtyProtocolError", "failed to read a frame: "+fmt.Sprintf(format, arguments...), details, nil)
}

func badMessage(requirement, pointer, format string, arguments ...any) error {
	details := map[string]any{"requirement": requirement, "pointer": pointer}
	return newError("DirtyProtocolError", "failed to read a message: "+fmt.Sprintf(format, arguments...), details, nil)
}
