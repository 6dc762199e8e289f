// Replays dirty-transcript/1 files (golden/README.md) against an arbiter or a worker. Meant to be copied.
//
//	go run replay.go ROLE SOCKET [-FEATURE...] FILE...   ROLE: arbiter or worker; -FEATURE: one that it lacks (`needs`)
//	go run replay.go --matcher FILE                      judges the matcher by golden/matcher.json
//
// TIME_SCALE=4 in the environment makes expectations wait four times as long, for busy machines.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"
)

type object = map[string]any

var operators = " $var $any $like $opt $open $lit "

func operator(t any) (string, any) {
	if members, ok := t.(object); ok && len(members) == 1 {
		for name, inner := range members {
			if strings.Contains(operators, " "+name+" ") {
				return name, inner
			}
		}
	}
	return "", t
}

func number(text any) (*big.Int, float64, bool) { // an integer as such, and every number as a double
	n, ok := text.(json.Number)
	double, _ := n.Float64()
	integer, _ := new(big.Int).SetString(n.String(), 10)
	return integer, double, ok
}

// Whether `got` fits the template. Writes into `binds`, also when it does not fit: give it a copy.
func matches(want, got any, binds object, literal, opened bool) bool {
	name, inner := operator(want)
	switch {
	case literal || name == "":
	case name == "$var":
		if _, known := binds[inner.(string)]; !known {
			binds[inner.(string)] = got
		}
		for key, value := range binds {
			if (key == inner) != matches(value, got, object{}, true, false) {
				return false
			}
		}
		return true
	case name == "$any" || name == "$like":
		return name == "$any" || reflect.TypeOf(inner) == reflect.TypeOf(got)
	default:
		return matches(inner, got, binds, name == "$lit", name == "$open")
	}
	switch want := want.(type) {
	case json.Number:
		integer, double, _ := number(want)
		other, also, ok := number(got)
		return ok && (integer != nil && other != nil && integer.Cmp(other) == 0 || (integer == nil || other == nil) && double == also)
	case []any:
		items, ok := got.([]any)
		for i := 0; ok && i < len(want); i++ {
			ok = len(items) == len(want) && matches(want[i], items[i], binds, literal, false)
		}
		return ok && len(items) == len(want)
	case object:
		members, ok := got.(object)
		for key, value := range want {
			inner, there := members[key]
			optional, _ := operator(value)
			ok = ok && (there && matches(value, inner, binds, literal, false) || !there && !literal && optional == "$opt")
		}
		for key := range members {
			_, there := want[key]
			ok = ok && (there || opened)
		}
		return ok
	}
	return want == got
}

func render(t any, binds, vars object) any {
	name, t := operator(t)
	if _, known := binds[fmt.Sprint(t)]; name == "$var" && !known {
		binds[t.(string)] = vars[t.(string)]
	}
	if name == "$var" {
		return binds[t.(string)]
	}
	if name == "$lit" || name == "$any" || name == "$like" {
		return t
	}
	switch t := t.(type) {
	case []any:
		out := make([]any, len(t))
		for i := range t {
			out[i] = render(t[i], binds, vars)
		}
		return out
	case object:
		out := object{}
		for key := range t {
			out[key] = render(t[key], binds, vars)
		}
		return out
	}
	return t
}

func milliseconds(step object, name string, otherwise int64) time.Duration {
	if n, ok := step[name].(json.Number); ok {
		otherwise, _ = n.Int64()
	}
	return time.Duration(otherwise) * time.Millisecond
}

func raw(step object) []byte {
	text, _ := step["raw"].(string)
	out, _ := hex.DecodeString(text)
	if pad, ok := step["pad"].(object); ok {
		_, value, _ := number(pad["byte"])
		_, count, _ := number(pad["count"])
		out = append(out, bytes.Repeat([]byte{byte(value)}, int(count))...)
	}
	return out
}

func read(from net.Conn, count int) ([]byte, error) { // so many bytes, or fewer when the connection ends
	out := make([]byte, count)
	n, err := io.ReadFull(from, out)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return out[:n], err
}

func parse(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return decoder.Decode(into)
}

func expect(from net.Conn, step, binds object) error {
	patience := milliseconds(step, "within_ms", 5000)
	if scale, err := strconv.Atoi(os.Getenv("TIME_SCALE")); err == nil {
		patience *= time.Duration(scale)
	}
	from.SetReadDeadline(time.Now().Add(milliseconds(step, "quiet_ms", patience.Milliseconds())))
	if step["quiet_ms"] != nil {
		if got, err := read(from, 1); err == nil {
			return fmt.Errorf("not silence but %x or the end", got)
		}
		return nil
	}
	waiting, several := step["unordered"].([]any)
	if step["msg"] != nil {
		waiting = []any{step}
	} else if !several {
		want := raw(step)
		count := len(want)
		if count == 0 { // `close`: the end, and no byte before it
			count = 1
		}
		got, err := read(from, count)
		if err == nil && !bytes.Equal(got, want) {
			err = fmt.Errorf("not %x but %x", want, got)
		}
		return err
	}
next:
	for len(waiting) > 0 {
		header, err := read(from, 4)
		if err != nil || len(header) < 4 {
			return fmt.Errorf("no frame but %x, %v", header, err)
		}
		payload, err := read(from, int(binary.BigEndian.Uint32(header)))
		var got any
		if err == nil {
			err = parse(payload, &got)
		}
		if err != nil {
			return err
		}
		for i, inner := range waiting {
			tried := object{}
			for name, value := range binds {
				tried[name] = value
			}
			if matches(inner.(object)["msg"], got, tried, false, true) {
				for name, value := range tried {
					binds[name] = value
				}
				waiting = append(append([]any{}, waiting[:i]...), waiting[i+1:]...)
				continue next
			}
		}
		return fmt.Errorf("no match for %s", payload)
	}
	return nil
}

func send(to net.Conn, step, binds, vars object) error {
	time.Sleep(milliseconds(step, "after_ms", 0))
	if step["close"] != nil {
		return to.Close()
	}
	frame := raw(step)
	if step["msg"] != nil {
		payload, _ := json.Marshal(render(step["msg"], binds, vars))
		frame = append(binary.BigEndian.AppendUint32(nil, uint32(len(payload))), payload...)
	}
	to.SetWriteDeadline(time.Now().Add(30 * time.Second)) // for a subject that does not read
	_, err := to.Write(frame)
	return err
}

func play(transcript object, role, path string) error {
	binds, connections := object{}, map[string]net.Conn{}
	vars, _ := transcript["vars"].(object)
	steps := transcript["steps"].([]any)
	for _, step := range steps {
		if role == "worker" && step.(object)["from"] == "client" {
			role = "arbiter" // read one hop on
		}
	}
	for _, step := range steps {
		step := step.(object)
		if step["from"] == nil {
			continue
		}
		connection, err := connections[step["on"].(string)], error(nil)
		if connection == nil {
			if connection, err = net.Dial("unix", path); err != nil {
				return err
			}
			defer connection.Close()
			connections[step["on"].(string)] = connection
		}
		if step["from"] == role {
			err = expect(connection, step, binds)
		} else {
			err = send(connection, step, binds, vars)
		}
		if err != nil {
			text, _ := json.Marshal(step)
			return fmt.Errorf("%.300s: %w", text, err)
		}
	}
	return nil
}

func judge(it object) error {
	binds, bound := it["binds"], object{}
	if binds == nil {
		binds = object{}
	}
	fits := matches(it["want"], it["got"], bound, false, true)
	if fits != it["match"] || fits && !matches(binds, bound, object{}, true, false) {
		return errors.New("another verdict")
	}
	return nil
}

func load(file string, into any) {
	text, err := os.ReadFile(file)
	if err == nil {
		err = parse(text, into)
	}
	if err != nil {
		panic(err)
	}
}

func main() {
	if len(os.Args) < 3 {
		panic("replay ROLE SOCKET [-FEATURE...] FILE... | replay --matcher FILE")
	}
	total, failed := 0, 0
	tell := func(it object, why error) {
		total++
		if why != nil {
			failed++
			fmt.Println("FAILED", it["id"], why)
		}
	}
	role, lacks := os.Args[1], " "
	if role == "--matcher" {
		var cases []object
		load(os.Args[2], &cases)
		for _, it := range cases {
			tell(it, judge(it))
		}
	}
	for _, word := range os.Args[3:] {
		if word[0] == '-' {
			lacks += word[1:] + " "
			continue
		}
		var it object
		load(word, &it)
		needs, _ := it["needs"].([]any)
		plays := strings.Contains(fmt.Sprint(it["roles"]), role)
		for _, feature := range needs {
			plays = plays && !strings.Contains(lacks, fmt.Sprintf(" %v ", feature))
		}
		if plays {
			tell(it, play(it, role, os.Args[2]))
		}
	}
	fmt.Printf("%d passed, %d failed\n", total-failed, failed)
	if failed > 0 || total == 0 {
		os.Exit(1)
	}
}
