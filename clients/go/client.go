// Package dirty calls the apps of a dirty arbiter over its Unix socket.
//
//	client, err := dirty.Discover()
//	result, err := client.Execute(ctx, "shop:Cart", "add", 7, dirty.Kwargs{"count": 2})
//
// One Client serves any number of goroutines over one connection.
package dirty

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Kwargs, among the arguments of a call, are its named arguments.
type Kwargs map[string]any

// Meta, among the arguments of a call, is data that the arbiter passes on to the worker, such as a trace context (EXT-2).
type Meta map[string]any

type options struct {
	maxFrame     uint32
	streamBuffer int
	noHints      bool
}

// Option changes a client when it is made.
type Option func(*options)

// WithMaxFrame sets the largest payload that is sent or read, in bytes.
func WithMaxFrame(bytes uint32) Option { return func(o *options) { o.maxFrame = bytes } }

// WithStreamBuffer sets how many bytes of a stream are held for a caller who does not take them, before the socket is
// left unread.
func WithStreamBuffer(bytes int) Option { return func(o *options) { o.streamBuffer = bytes } }

// WithoutHints refuses to send what JSON lacks, and does not ask for it (VAL-5).
func WithoutHints() Option { return func(o *options) { o.noHints = true } }

// Client calls the apps of the arbiter at one socket. It connects at the first call, and again at the first call after
// the connection was lost.
type Client struct {
	path    string
	options options
	lock    sync.Mutex
	current *connection
}

// New makes a client of the arbiter at this socket. It does not connect yet.
func New(path string, changes ...Option) *Client {
	client := &Client{path: path, options: options{maxFrame: FrameLimit, streamBuffer: 1 << 20}}
	for _, change := range changes {
		change(&client.options)
	}
	return client
}

// Discover makes a client of the arbiter that the environment names: DIRTY_SOCKET, GUNICORN_DIRTY_SOCKET, or the socket
// in the user's run-time directory.
func Discover(changes ...Option) (*Client, error) {
	for _, name := range []string{"DIRTY_SOCKET", "GUNICORN_DIRTY_SOCKET"} {
		if path := os.Getenv(name); path != "" {
			return New(path, changes...), nil
		}
	}
	if folder := os.Getenv("XDG_RUNTIME_DIR"); folder != "" {
		return New(filepath.Join(folder, "dirty", "arbiter.sock"), changes...), nil
	}
	return nil, newError("DirtyConnectionError", "failed to find the arbiter: set DIRTY_SOCKET, GUNICORN_DIRTY_SOCKET or XDG_RUNTIME_DIR", nil, nil)
}

// Close ends the connection; calls in flight fail with a ConnectionError. A later call connects again.
func (c *Client) Close() {
	c.lock.Lock()
	current := c.current
	c.current = nil
	c.lock.Unlock()
	if current != nil {
		current.close(newError("DirtyConnectionError", "the client was closed", nil, nil))
	}
}

// Execute runs an action and gives its result. The deadline of ctx is the call's; when ctx ends, the call is cancelled.
func (c *Client) Execute(ctx context.Context, appPath, action string, args ...any) (any, error) {
	running, err := c.start(ctx, false, appPath, action, args)
	if err != nil {
		return nil, err
	}
	reply, err := running.next(ctx)
	if err != nil {
		return nil, err
	}
	return reply.value("result")
}

// Stream runs an action whose items come one by one. Its caller reads them with Next and ends with Close:
//
//	items, err := client.Stream(ctx, "chat:Chat", "reply", "hello")
//	if err != nil { … }
//	defer items.Close()
//	for items.Next() {
//		fmt.Println(items.Item())
//	}
//	if err := items.Err(); err != nil { … }
func (c *Client) Stream(ctx context.Context, appPath, action string, args ...any) (*Stream, error) {
	running, err := c.start(ctx, true, appPath, action, args)
	if err != nil {
		return nil, err
	}
	return &Stream{ctx: ctx, running: running}, nil
}

// Stream is the items of one call, for one goroutine.
type Stream struct {
	ctx     context.Context
	running *running
	item    any
	err     error
	done    bool
}

// Next waits for the next item and says whether there is one.
func (s *Stream) Next() bool {
	if s.done {
		return false
	}
	reply, err := s.running.next(s.ctx)
	if err == nil && reply != nil {
		root := "data"
		if reply.kind == "response" { // a plain result is an item, too (STREAM-6)
			root = "result"
		}
		if s.item, err = reply.value(root); err == nil {
			return true
		}
		s.running.leave(err)
	}
	s.item, s.err, s.done = nil, err, true
	return false
}

// Item is the item that Next has found.
func (s *Stream) Item() any { return s.item }

// Err is why the stream ended: nil at its end, and when its caller has left.
func (s *Stream) Err() error { return s.err }

// Close leaves the stream, which cancels it if it has not ended (STREAM-7).
func (s *Stream) Close() {
	s.done = true
	s.running.leave(nil)
}

// running is a call on its connection.
type running struct {
	*call
	on *connection
}

func (c *Client) start(ctx context.Context, stream bool, appPath, action string, args []any) (*running, error) {
	what := map[string]any{"app_path": appPath, "action": action}
	if ctx.Err() != nil {
		return nil, gaveUp(ctx, what)
	}
	it := &call{id: newID(), what: what, stream: stream, wake: make(chan struct{}, 1)}
	payload, err := c.encode(ctx, it.id, appPath, action, args)
	if err != nil {
		return nil, err
	}
	for {
		on, err := c.connect(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil, gaveUp(ctx, what)
			}
			return nil, err
		}
		it.waits = !stream
		if on.begin(it, payload) {
			return &running{it, on}, nil
		}
	}
}

func (c *Client) connect(ctx context.Context) (*connection, error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.current != nil {
		c.current.lock.Lock()
		closed := c.current.closed
		c.current.lock.Unlock()
		if closed == nil {
			return c.current, nil
		}
	}
	on, err := open(ctx, c.path, &c.options)
	c.current = on
	return on, err
}

// next waits for the next reply with a payload; nil at the end of a stream.
func (r *running) next(ctx context.Context) (*message, error) {
	for {
		r.on.lock.Lock()
		if len(r.items) > 0 && (ctx.Err() == nil || r.ended) {
			first := r.items[0]
			r.items = r.items[1:]
			r.held -= first.size
			r.waits = !r.stream
			r.on.flow.Broadcast()
			r.on.lock.Unlock()
			return first.reply, nil
		}
		if r.ended {
			err := r.err
			r.on.lock.Unlock()
			return nil, err
		}
		r.waits = true
		r.on.flow.Broadcast()
		r.on.lock.Unlock()
		select {
		case <-r.wake:
		case <-ctx.Done():
			r.leave(gaveUp(ctx, r.what))
		}
	}
}

// leave ends the call for its caller, and cancels it if it has not ended by itself.
func (r *running) leave(err error) {
	r.on.lock.Lock()
	defer r.on.lock.Unlock()
	r.items, r.held, r.waits = nil, 0, false
	r.on.abandon(r.call, err)
	r.on.flow.Broadcast()
}

// gaveUp is what a caller is told whose context has ended.
func gaveUp(ctx context.Context, what map[string]any) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return newError("DirtyTimeoutError", "no reply within the caller's deadline", what, ctx.Err())
	}
	return newError("DirtyCancelledError", "the caller cancelled the call", what, ctx.Err())
}

func (c *Client) encode(ctx context.Context, id, appPath, action string, args []any) ([]byte, error) {
	positional, kwargs, meta := []any{}, Kwargs{}, Meta(nil)
	for _, arg := range args {
		switch arg := arg.(type) {
		case Kwargs:
			kwargs = arg
		case Meta:
			meta = arg
		default:
			positional = append(positional, arg)
		}
	}
	with := &encoder{hints: map[string]string{}, noHints: c.options.noHints}
	request := map[string]json.RawMessage{"type": json.RawMessage(`"request"`)}
	var failure error
	put := func(name string, text []byte, err error) {
		request[name] = text
		if failure == nil {
			failure = err
		}
	}
	marshal := func(name string, value any) {
		text, err := json.Marshal(value)
		put(name, text, err)
	}
	marshal("id", id)
	marshal("app_path", appPath)
	marshal("action", action)
	text, err := with.encode(positional, "/args", 2)
	put("args", text, err)
	text, err = with.encode(map[string]any(kwargs), "/kwargs", 2)
	put("kwargs", text, err)
	if meta != nil {
		text, err = (&encoder{noHints: true}).encode(map[string]any(meta), "/meta", 2)
		put("meta", text, err)
	}
	if deadline, ok := ctx.Deadline(); ok {
		seconds := time.Until(deadline).Seconds()
		if seconds <= 0 {
			return nil, gaveUp(ctx, nil)
		}
		put("timeout", strconv.AppendFloat(nil, min(seconds, ages), 'g', -1, 64), nil)
	}
	if !c.options.noHints {
		put("accept_hints", []byte("true"), nil)
	}
	if len(with.hints) > 0 {
		marshal("hints", with.hints)
	}
	if failure != nil {
		return nil, failure
	}
	payload, err := json.Marshal(request)
	if err == nil && len(payload) > int(c.options.maxFrame) {
		err = fmt.Errorf("failed to send the request: %d bytes, %d are allowed (FRAME-3)", len(payload), c.options.maxFrame)
	}
	return payload, err
}

func min(a, b float64) float64 {
	if a < b {
		return a
	}
	return b
}

// newID gives an id that nobody else uses (CORR-8).
func newID() string {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		panic("failed to make an id: the system has no random numbers: " + err.Error())
	}
	return hex.EncodeToString(random[:])
}
