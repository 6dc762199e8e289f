package dirty

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// FrameLimit is the largest payload of a frame, in bytes, unless configured otherwise (FRAME-3).
const FrameLimit = 67_108_864

func frame(payload []byte) []byte {
	header := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(payload)), uint32(len(payload)))
	return append(header, payload...)
}

// readFrame gives the payload of the next frame, and io.EOF at an orderly end.
func readFrame(from io.Reader, limit uint32) ([]byte, error) {
	var header [4]byte
	if n, err := io.ReadFull(from, header[:]); errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, badFrame("FRAME-9", header[:n], "the connection ended inside a header")
	} else if err != nil {
		return nil, err
	}
	length := binary.BigEndian.Uint32(header[:])
	if length < 1 || length > limit { // judged before any byte of the payload is waited for (FRAME-4)
		return nil, badFrame("FRAME-3", header[:], "a length of %d bytes; 1 to %d are allowed", length, limit)
	}
	var payload bytes.Buffer // grows with what arrives, not with what is announced (FRAME-6)
	switch n, err := io.CopyN(&payload, from, int64(length)); {
	case err == io.EOF:
		return nil, badFrame("FRAME-9", append(header[:], payload.Bytes()...), "the connection ended after %d of %d bytes", n, length)
	case err != nil:
		return nil, err
	}
	return payload.Bytes(), nil
}
