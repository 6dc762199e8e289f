package dirty

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const app = "fixture:App"

// peer is one connection of the client under test, served as a test says.
type peer struct {
	t    *testing.T
	conn net.Conn
}

type object = map[string]any

// scripted gives a client, and what accepts its connections.
func scripted(t *testing.T, changes ...Option) (*Client, func() *peer) {
	path := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	client := New(path, changes...)
	t.Cleanup(func() { client.Close(); listener.Close() })
	return client, func() *peer {
		conn, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		return &peer{t, conn}
	}
}

func (p *peer) read() object {
	p.t.Helper()
	payload, err := readFrame(p.conn, FrameLimit)
	if err != nil {
		p.t.Fatal("the client sent nothing more:", err)
	}
	var message object
	if err := json.Unmarshal(payload, &message); err != nil {
		p.t.Fatal(err)
	}
	return message
}

// id reads a request and gives its id.
func (p *peer) id() string {
	p.t.Helper()
	request := p.read()
	if request["type"] != "request" {
		p.t.Fatal("not a request:", request)
	}
	return request["id"].(string)
}

func (p *peer) send(messages ...object) {
	for _, message := range messages {
		text, _ := json.Marshal(message)
		p.raw(frame(text))
	}
}

func (p *peer) raw(bytes []byte) {
	if _, err := p.conn.Write(bytes); err != nil {
		p.t.Error(err)
	}
}

// end waits until the client has closed the connection, without another message.
func (p *peer) end() {
	p.t.Helper()
	if payload, err := readFrame(p.conn, FrameLimit); err == nil {
		p.t.Fatalf("%s instead of the end", payload)
	}
}

type outcome struct {
	result any
	err    error
}

func execute(ctx context.Context, client *Client, args ...any) chan outcome {
	done := make(chan outcome, 1)
	go func() {
		result, err := client.Execute(ctx, app, "echo", args...)
		done <- outcome{result, err}
	}()
	return done
}

func want(t *testing.T, got, expected any) {
	t.Helper()
	if !reflect.DeepEqual(got, expected) {
		t.Fatalf("%#v instead of %#v", got, expected)
	}
}

var background = context.Background()

func TestRepliesFindTheirCallers(t *testing.T) {
	client, accept := scripted(t)
	one := execute(background, client, "one", Kwargs{"a": 2}, Meta{"m": 1})
	p := accept()
	first := p.read()
	want(t, []any{first["args"], first["kwargs"], first["meta"]}, []any{[]any{"one"}, object{"a": 2.0}, object{"m": 1.0}})
	two := execute(background, client)
	second := p.id()
	p.send(object{"type": "response", "id": second, "result": 2}, object{"type": "response", "id": first["id"], "result": 1})
	want(t, <-two, outcome{int64(2), nil})
	want(t, <-one, outcome{int64(1), nil})
}

func TestErrorsHaveTheirTypes(t *testing.T) {
	client, accept := scripted(t)
	var p *peer
	fail := func(kind string, details object) error {
		call := execute(background, client)
		if p == nil {
			p = accept()
		}
		p.send(object{"type": "error", "id": p.id(), "error": object{"error_type": kind, "message": "m", "details": details}})
		return (<-call).err
	}
	var app *AppError
	if err := fail("DirtyAppError", object{"traceback": "line 1"}); !errors.As(err, &app) || app.Traceback() != "line 1" {
		t.Error(err)
	}
	var worker *WorkerError
	if !errors.As(fail("DirtyWorkerError", object{"exit_code": 7}), &worker) {
		t.Fatal("no WorkerError")
	}
	if code, ok := worker.ExitCode(); !ok || code != 7 {
		t.Error(worker)
	}
	var overloaded *OverloadedError
	if err := fail("DirtyOverloadedError", object{"retry_after": 2}); !errors.As(err, &overloaded) || overloaded.RetryAfter() != 2 {
		t.Error(err)
	}
	var common *DirtyError
	if err := fail("NeverHeardOf", object{"x": true}); !errors.As(err, &common) || common.Type != "DirtyError" || common.Details["x"] != true {
		t.Error(err)
	}
	if err := fail("DirtyTimeoutError", object{"phase": "run"}); !errors.As(err, &common) || common.Type != "DirtyTimeoutError" {
		t.Error(err)
	}
	if err := fail("DirtyTimeoutError", object{"phase": "run"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("the arbiter's clock was the first, and the caller is told of no deadline:", err)
	}
}

func TestContextEndsACall(t *testing.T) {
	client, accept := scripted(t)
	ctx, cancel := context.WithCancel(background)
	call := execute(ctx, client)
	p := accept()
	id := p.id()
	cancel()
	want(t, p.read(), object{"type": "cancel", "id": id})
	var cancelled *CancelledError
	if err := (<-call).err; !errors.As(err, &cancelled) || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	limited, stop := context.WithTimeout(background, 50*time.Millisecond)
	defer stop()
	call = execute(limited, client)
	request := p.read()
	if timeout, ok := request["timeout"].(float64); !ok || timeout <= 0 || timeout > 0.05 {
		t.Error(request)
	}
	want(t, p.read(), object{"type": "cancel", "id": request["id"]})
	var late *TimeoutError
	if err := (<-call).err; !errors.As(err, &late) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	// The late replies are dropped.
	call = execute(background, client)
	next := p.id()
	p.send(object{"type": "response", "id": request["id"], "result": "late"}, object{"type": "response", "id": next, "result": "mine"})
	want(t, <-call, outcome{"mine", nil})
}

func TestExecuteOnAStream(t *testing.T) {
	client, accept := scripted(t)
	call := execute(background, client)
	p := accept()
	id := p.id()
	p.send(object{"type": "chunk", "id": id, "data": 0})
	want(t, p.read(), object{"type": "cancel", "id": id})
	if err := (<-call).err; err == nil || !strings.HasPrefix(err.Error(), "DirtyError: ") {
		t.Error(err)
	}
}

func TestStream(t *testing.T) {
	client, accept := scripted(t)
	items, err := client.Stream(background, app, "count", 3)
	if err != nil {
		t.Fatal(err)
	}
	p := accept()
	id := p.id()
	p.send(object{"type": "chunk", "id": id, "data": 0}, object{"type": "chunk", "id": id, "data": "é"},
		object{"type": "error", "id": id, "error": object{"error_type": "DirtyAppError", "message": "boom", "details": object{}}})
	var got []any
	for items.Next() {
		got = append(got, items.Item())
	}
	want(t, got, []any{int64(0), "é"})
	var failure *AppError
	if !errors.As(items.Err(), &failure) || items.Next() {
		t.Error(items.Err())
	}
	plain, _ := client.Stream(background, app, "echo")
	p.send(object{"type": "response", "id": p.id(), "result": "once"})
	if !plain.Next() || plain.Item() != "once" || plain.Next() || plain.Err() != nil {
		t.Error(plain.Item(), plain.Err())
	}
	left, _ := client.Stream(background, app, "count", 9)
	id = p.id()
	p.send(object{"type": "chunk", "id": id, "data": 0})
	if !left.Next() {
		t.Fatal(left.Err())
	}
	left.Close()
	want(t, p.read(), object{"type": "cancel", "id": id})
	if left.Next() || left.Err() != nil {
		t.Error("a stream that was left goes on")
	}
}

func TestResponseInsideAStream(t *testing.T) {
	client, accept := scripted(t)
	items, _ := client.Stream(background, app, "count")
	p := accept()
	id := p.id()
	p.send(object{"type": "chunk", "id": id, "data": 0}, object{"type": "response", "id": id, "result": 1})
	var broken *ProtocolError
	if !items.Next() || items.Next() || !errors.As(items.Err(), &broken) {
		t.Error(items.Err())
	}
	p.end()
}

func TestAStreamThatIsNotReadStopsThePeer(t *testing.T) {
	client, accept := scripted(t, WithStreamBuffer(100_000))
	items, _ := client.Stream(background, app, "flood")
	p := accept()
	id := p.id()
	const whole = 400
	data := strings.Repeat("x", 50_000)
	sent := make(chan int, whole+1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; i < whole; i++ {
			p.send(object{"type": "chunk", "id": id, "data": data})
			sent <- i
		}
		p.send(object{"type": "end", "id": id})
	}()
	// 20 MB do not fit into what is between: the peer stands still before the end.
	select {
	case <-done:
		t.Fatal("the peer was never held up")
	case <-time.After(300 * time.Millisecond):
	}
	count := 0
	for items.Next() {
		if count == 0 { // another call gets through in the middle of the loop
			call := execute(background, client)
			next := p.id()
			<-done
			p.send(object{"type": "response", "id": next, "result": "through"})
			want(t, <-call, outcome{"through", nil})
		}
		count++
	}
	want(t, []any{count, items.Err()}, []any{whole, nil})
}

func TestAStreamThatFallsBehindWithoutEnd(t *testing.T) {
	client, accept := scripted(t, WithStreamBuffer(1000), WithMaxFrame(10_000))
	items, _ := client.Stream(background, app, "flood")
	p := accept()
	id := p.id()
	call := execute(background, client)
	other := p.id()
	for i := 0; i < 20; i++ {
		p.send(object{"type": "chunk", "id": id, "data": strings.Repeat("x", 1000)})
	}
	want(t, p.read(), object{"type": "cancel", "id": id})
	p.send(object{"type": "end", "id": id}, object{"type": "response", "id": other, "result": "fine"})
	want(t, <-call, outcome{"fine", nil})
	for items.Next() {
	}
	if items.Err() == nil {
		t.Error("it ended as if it were whole")
	}
}

func TestBadFramesAndMessages(t *testing.T) {
	for requirement, text := range map[string]string{
		"FRAME-3":  "\x04\x00\x00\x01",
		"FRAME-10": "\x00\x00\x00\x01\xff",
		"FRAME-9":  "\x00\x00\x00\x64{\"ty",
		"MSG-1":    "\x00\x00\x00\x02{}",
		"MSG-11":   "\x00\x00\x00\x1d{\"type\":\"cancel\", \"id\":\"r1\" }",
		"CORR-4":   "\x00\x00\x00\x1b{\"type\":\"end\",\"id\":\"other\"}",
	} {
		client, accept := scripted(t)
		call := execute(background, client)
		p := accept()
		p.id()
		p.raw([]byte(text))
		if requirement == "FRAME-9" {
			p.conn.Close()
		}
		var broken *ProtocolError
		if err := (<-call).err; !errors.As(err, &broken) || broken.Requirement() != requirement {
			t.Errorf("%s: %v", requirement, err)
		}
		if requirement != "FRAME-9" {
			p.end()
		}
		// The next call has a connection of its own.
		call = execute(background, client)
		p = accept()
		p.send(object{"type": "response", "id": p.id(), "result": nil})
		want(t, <-call, outcome{nil, nil})
	}
}

func TestTheEndOfAConnection(t *testing.T) {
	client, accept := scripted(t)
	call := execute(background, client)
	p := accept()
	p.id()
	p.conn.Close()
	var lost *ConnectionError
	if err := (<-call).err; !errors.As(err, &lost) {
		t.Error(err)
	}
	call = execute(background, client)
	p = accept()
	p.id()
	p.send(object{"type": "error", "id": nil, "error": object{"error_type": "DirtyOverloadedError", "message": "full", "details": object{"retry_after": 3}}})
	p.conn.Close()
	var broken *ProtocolError
	var report *OverloadedError
	if err := (<-call).err; !errors.As(err, &broken) || !errors.As(broken.Cause, &report) || report.RetryAfter() != 3 {
		t.Error(err)
	}
	call = execute(background, client)
	accept().id()
	client.Close()
	if err := (<-call).err; !errors.As(err, &lost) {
		t.Error(err)
	}
	_, err := New(filepath.Join(t.TempDir(), "nobody")).Execute(background, app, "echo")
	if !errors.As(err, &lost) {
		t.Error(err)
	}
}

func TestAFrameByteByByte(t *testing.T) {
	client, accept := scripted(t)
	call := execute(background, client)
	p := accept()
	text, _ := json.Marshal(object{"type": "response", "id": p.id(), "result": "é😀"})
	for _, b := range frame(text) {
		p.raw([]byte{b})
	}
	want(t, <-call, outcome{"é😀", nil})
}

func TestValues(t *testing.T) {
	large, _ := new(big.Int).SetString("9223372036854775808", 10)
	with := &encoder{hints: map[string]string{}}
	text, err := with.encode([]any{[]byte{0, 255}, object{"a/~b": large}, math.Inf(-1), int64(1) << 60, 7, []string{"x"}, json.Number("1.10")}, "/args", 2)
	want(t, []any{string(text), err}, []any{`["AP8=",{"a/~b":"9223372036854775808"},"-Infinity","1152921504606846976",7,["x"],1.10]`, nil})
	want(t, with.hints, map[string]string{"/args/0": "base64", "/args/1/a~1~0b": "int", "/args/2": "float", "/args/3": "int"})
	for _, value := range []any{math.NaN(), large, []byte{1}} {
		if _, err := (&encoder{noHints: true}).encode([]any{value}, "/args", 2); err == nil || !strings.Contains(err.Error(), "/args/0") {
			t.Errorf("%v: %v", value, err)
		}
	}
	for _, value := range []any{func() {}, map[int]int{1: 1}, make(chan int)} {
		if text, err := (&encoder{noHints: true}).encode([]any{value}, "/args", 2); err == nil && reflect.TypeOf(value).Kind() != reflect.Map {
			t.Errorf("%v was sent as %s", value, text)
		}
	}
	cycle := make([]any, 1)
	cycle[0] = cycle
	if _, err := (&encoder{}).encode(cycle, "/args", 2); err == nil {
		t.Error("a cycle was sent")
	}
	client, accept := scripted(t)
	var p *peer
	for _, it := range []struct {
		result, hints string
		want          any
	}{
		{`{"b":"AP8=","i":["9223372036854775808"],"f":"-Infinity"}`, `{"/result/b":"base64","/result/i/0":"int","/result/f":"float"}`,
			object{"b": []byte{0, 255}, "i": []any{large}, "f": math.Inf(-1)}},
		{`[9007199254740993,1.5,-0]`, `{}`, []any{int64(9007199254740993), 1.5, int64(0)}},
		{`"x"`, `{"/result":"base64"}`, nil},
		{`1`, `{"/result":"int"}`, nil},
		{`"1.5"`, `{"/result":"int"}`, nil},
		{`"-"`, `{"/result":"int"}`, nil},
		{`["1"]`, `{"/result/00":"int"}`, nil},
		{`"1"`, `{"/id":"int"}`, nil},
	} {
		call := execute(background, client)
		if p == nil {
			p = accept()
		}
		p.send(object{"type": "response", "id": p.id(), "result": json.RawMessage(it.result), "hints": json.RawMessage(it.hints)})
		got := <-call
		var lie *ProtocolError
		if it.want == nil && !errors.As(got.err, &lie) {
			t.Errorf("%s with %s: %v", it.result, it.hints, got)
		} else if it.want != nil {
			want(t, got, outcome{it.want, nil})
		}
	}
}

func TestFrameLimit(t *testing.T) {
	client, accept := scripted(t, WithMaxFrame(1000))
	if _, err := client.Execute(background, app, "echo", strings.Repeat("x", 1000)); err == nil {
		t.Error("a frame over the limit was sent")
	}
	call := execute(background, client)
	p := accept()
	id := p.id()
	empty, _ := json.Marshal(object{"type": "response", "id": id, "result": ""})
	p.send(object{"type": "response", "id": id, "result": strings.Repeat("x", 1000-len(empty))}) // FRAME-13
	if got := <-call; got.err != nil {
		t.Error(got.err)
	}
}

func TestDiscover(t *testing.T) {
	for _, name := range []string{"DIRTY_SOCKET", "GUNICORN_DIRTY_SOCKET", "XDG_RUNTIME_DIR"} {
		t.Setenv(name, "")
	}
	if _, err := Discover(); err == nil {
		t.Error("an arbiter was found")
	}
	for _, it := range [][3]string{
		{"XDG_RUNTIME_DIR", "/run/user/1", "/run/user/1/dirty/arbiter.sock"},
		{"GUNICORN_DIRTY_SOCKET", "b", "b"},
		{"DIRTY_SOCKET", "a", "a"},
	} {
		t.Setenv(it[0], it[1])
		client, err := Discover()
		if err != nil || client.path != it[2] {
			t.Error(client, err)
		}
	}
}
