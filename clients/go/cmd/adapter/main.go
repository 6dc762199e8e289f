// The adapter of this client for `dirty check client -- adapter` (contract: dirty-adapter/1).
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	dirty "dirty-arbiter/clients/go"
)

type line = map[string]any

type call struct {
	Call    int               `json:"call"`
	On      string            `json:"on"`
	Method  string            `json:"method"`
	AppPath string            `json:"app_path"`
	Action  string            `json:"action"`
	Args    []any             `json:"args"`
	Kwargs  map[string]any    `json:"kwargs"`
	Take    *int              `json:"take"`
	Timeout *float64          `json:"timeout"`
	Hints   map[string]string `json:"hints"`
}

var stdout sync.Mutex

func say(it line) {
	text, err := json.Marshal(it)
	if err != nil {
		panic(err)
	}
	stdout.Lock()
	defer stdout.Unlock()
	fmt.Printf("%s\n", text)
}

func main() {
	say(line{"hello": line{"adapter": "dirty-adapter/1", "name": "clients/go", "version": "0.1.0", "lacks": []string{}}})
	clients := map[string]*dirty.Client{}
	lines := bufio.NewReader(os.Stdin)
	for {
		text, err := lines.ReadBytes('\n')
		if err != nil {
			return // the kit has hung up
		}
		var it call
		decoder := json.NewDecoder(strings.NewReader(string(text)))
		decoder.UseNumber() // numbers are sent on as they were written
		if err := decoder.Decode(&it); err != nil {
			panic(err)
		}
		if clients[it.On] == nil {
			clients[it.On] = dirty.New(os.Getenv("DIRTY_SOCKET"))
		}
		go run(clients[it.On], it)
	}
}

func run(client *dirty.Client, it call) {
	ctx := context.Background()
	if it.Timeout != nil {
		limited, cancel := context.WithTimeout(ctx, time.Duration(*it.Timeout*float64(time.Second)))
		defer cancel()
		ctx = limited
	}
	for pointer, hint := range it.Hints {
		var root any = line{"args": it.Args, "kwargs": it.Kwargs}
		hinted(root, strings.Split(pointer, "/")[1:], hint)
	}
	args := append(it.Args, dirty.Kwargs(it.Kwargs))
	if it.Method == "execute" {
		result, err := client.Execute(ctx, it.AppPath, it.Action, args...)
		end(it, result, err)
		return
	}
	items, err := client.Stream(ctx, it.AppPath, it.Action, args...)
	if err != nil {
		end(it, nil, err)
		return
	}
	defer items.Close()
	for taken := 0; it.Take == nil || taken < *it.Take; taken++ {
		if !items.Next() {
			break
		}
		tell(it, "yields", items.Item())
	}
	items.Close()
	end(it, nil, items.Err())
}

func end(it call, result any, err error) {
	var failure *dirty.DirtyError
	switch {
	case errors.As(err, &failure):
		details := failure.Details
		if details == nil {
			details = line{}
		}
		say(line{"call": it.Call, "raises": line{"error_type": failure.Type, "message": failure.Message, "details": details}})
	case err != nil:
		say(line{"call": it.Call, "raises": line{"error_type": "error", "message": err.Error(), "details": line{}}})
	default:
		tell(it, "returns", result)
	}
}

func tell(it call, event string, value any) {
	hints := map[string]string{}
	out := line{"call": it.Call, event: written(value, "/"+event, hints)}
	if len(hints) > 0 {
		out["hints"] = hints
	}
	say(out)
}

// written is a value as this client gives it, as it stands on the wire.
func written(value any, at string, hints map[string]string) any {
	switch value := value.(type) {
	case []byte:
		hints[at] = "base64"
		return base64.StdEncoding.EncodeToString(value)
	case *big.Int:
		hints[at] = "int"
		return value.String()
	case int64:
		if value > 1<<53-1 || value < -(1<<53-1) {
			hints[at] = "int"
			return strconv.FormatInt(value, 10)
		}
	case float64:
		if math.IsNaN(value) || math.IsInf(value, 0) {
			hints[at] = "float"
			return map[bool]string{true: "NaN", false: map[bool]string{true: "Infinity", false: "-Infinity"}[value > 0]}[math.IsNaN(value)]
		}
	case []any:
		out := make([]any, len(value))
		for i, inner := range value {
			out[i] = written(inner, fmt.Sprintf("%s/%d", at, i), hints)
		}
		return out
	case map[string]any:
		out := line{}
		for name, inner := range value {
			out[name] = written(inner, at+"/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name), hints)
		}
		return out
	}
	return value
}

// hinted turns the string at a path into the value that it stands for.
func hinted(holder any, path []string, hint string) any {
	if len(path) == 0 {
		text, _ := holder.(string)
		switch hint {
		case "base64":
			data, _ := base64.StdEncoding.DecodeString(text)
			return data
		case "int":
			number, _ := new(big.Int).SetString(text, 10)
			return number
		}
		number, _ := strconv.ParseFloat(text, 64)
		return number
	}
	key := strings.NewReplacer("~1", "/", "~0", "~").Replace(path[0])
	switch holder := holder.(type) {
	case map[string]any:
		holder[key] = hinted(holder[key], path[1:], hint)
	case []any:
		index, _ := strconv.Atoi(key)
		holder[index] = hinted(holder[index], path[1:], hint)
	}
	return holder
}
