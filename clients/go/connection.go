package dirty

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
)

// call is one request in flight, seen by its caller. All but id is guarded by the lock of its connection.
type call struct {
	id     string
	what   map[string]any // app_path and action, for errors of our own
	stream bool
	begun  bool          // a chunk has come
	items  []item        // replies that the caller has not taken
	held   int           // bytes of items
	waits  bool          // whether the caller waits at this moment
	ended  bool          // nothing more will come
	err    error         // why it ended, after the items; nil at the end of a stream
	wake   chan struct{} // holds one token when something has changed
}

type item struct {
	reply *message
	size  int
}

func (c *call) changed() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *call) end(err error) {
	if !c.ended {
		c.ended, c.err = true, err
		c.changed()
	}
}

// connection is one connection to an arbiter, shared by any number of calls, which their ids tell apart.
type connection struct {
	net    net.Conn
	limits *options
	lock   sync.Mutex
	flow   *sync.Cond       // the reader may go on, the writer has something to write
	calls  map[string]*call // whose terminal message is to come; nil: nobody waits for it (CORR-3)
	report *DirtyError      // what the arbiter last reported about the connection itself (CORR-10)
	queue  [][]byte         // frames to write
	closed error
}

func open(ctx context.Context, path string, limits *options) (*connection, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, newError("DirtyConnectionError", "failed to connect to "+path, nil, err)
	}
	c := &connection{net: conn, limits: limits, calls: map[string]*call{}}
	c.flow = sync.NewCond(&c.lock)
	go c.read()
	go c.write()
	return c, nil
}

// begin sends the request of a call, which gets every reply from now on.
func (c *connection) begin(it *call, payload []byte) bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.closed != nil {
		return false
	}
	c.calls[it.id] = it
	c.send(payload)
	return true
}

// send queues a frame: no caller is held up by an arbiter that does not read.
func (c *connection) send(payload []byte) {
	c.queue = append(c.queue, frame(payload))
	c.flow.Broadcast()
}

// abandon cancels a call that nobody waits for any more; what still comes for it is dropped (CORR-3, STREAM-7).
func (c *connection) abandon(it *call, err error) {
	it.end(err)
	if current, there := c.calls[it.id]; there && current == it && c.closed == nil {
		c.calls[it.id] = nil
		c.send([]byte(`{"type":"cancel","id":"` + it.id + `"}`))
	}
}

// close ends the connection; calls in flight fail with err.
func (c *connection) close(err error) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.closed != nil {
		return
	}
	c.closed = err
	c.net.Close()
	for _, it := range c.calls {
		if it != nil {
			it.end(err)
		}
	}
	c.calls = nil
	c.flow.Broadcast()
}

func (c *connection) write() {
	for {
		c.lock.Lock()
		for len(c.queue) == 0 && c.closed == nil {
			c.flow.Wait()
		}
		frames := net.Buffers(c.queue)
		closed := c.closed
		c.queue = nil
		c.lock.Unlock()
		if closed != nil {
			return
		}
		if _, err := frames.WriteTo(c.net); err != nil {
			return // the reader learns why: what the arbiter said before it closed is still to be read
		}
	}
}

func (c *connection) read() {
	for c.mayRead() {
		payload, err := readFrame(c.net, c.limits.maxFrame)
		if err == nil {
			err = c.take(payload)
		}
		if err != nil {
			c.close(c.lost(err))
		}
	}
}

// mayRead waits while some stream's caller has not taken what came, unless another caller waits for something: then
// reading goes on, or a caller who calls between two items would wait for ever.
func (c *connection) mayRead() bool {
	c.lock.Lock()
	defer c.lock.Unlock()
	for c.closed == nil {
		full, waits := false, false
		for _, it := range c.calls {
			if it != nil {
				full = full || it.held >= c.limits.streamBuffer
				waits = waits || it.waits && len(it.items) == 0
			}
		}
		if !full || waits {
			return true
		}
		c.flow.Wait()
	}
	return false
}

// take gives a reply to its call. An error means that the connection cannot go on (FRAME-12, MSG-14, CORR-4).
func (c *connection) take(payload []byte) error {
	reply, err := parse(payload)
	if err != nil {
		return err
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if reply.kind == "request" || reply.kind == "cancel" {
		return badMessage("MSG-11", "/type", "an arbiter sends no %s", reply.kind)
	}
	if reply.id == nil {
		c.report = reply.failure
		return nil
	}
	it, there := c.calls[*reply.id]
	if !there {
		return badMessage("CORR-4", "/id", "a %s for an id that is not in flight", reply.kind)
	}
	if it == nil {
		if reply.kind != "chunk" {
			delete(c.calls, *reply.id)
		}
		return nil
	}
	if reply.kind == "response" && it.begun {
		return badMessage("STREAM-5", "/type", "a response inside a stream")
	}
	if reply.kind != "chunk" {
		delete(c.calls, *reply.id)
	}
	switch {
	case reply.kind == "error":
		it.end(reply.asError())
	case !it.stream && reply.kind != "response":
		c.abandon(it, newError("DirtyError", "the action answers with a stream: call it with Stream (CALL-9)", it.what, nil))
	case reply.kind == "end":
		it.end(nil)
	default:
		it.begun = true
		it.items = append(it.items, item{reply, len(payload)})
		it.held += len(payload)
		it.changed()
		if reply.kind == "response" {
			it.end(nil)
		} else if it.held > int(c.limits.maxFrame) && it.held > c.limits.streamBuffer {
			c.abandon(it, newError("DirtyError", "the items of the stream are not taken: too many wait", it.what, nil))
		}
	}
	return nil
}

// What a connection's calls are told of the end of it (ERR-10).
func (c *connection) lost(err error) error {
	var protocol *ProtocolError
	if errors.As(err, &protocol) {
		return err
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.report != nil {
		cause := newError(c.report.Type, c.report.Message, c.report.Details, nil)
		return newError("DirtyProtocolError", "the connection ended, after the arbiter reported: "+c.report.Message, c.report.Details, cause)
	}
	if err == io.EOF {
		return newError("DirtyConnectionError", "the arbiter closed the connection", nil, nil)
	}
	return newError("DirtyConnectionError", "the connection was lost", nil, err)
}
