"""JSON both ways, hints, frames and errors: by example and by random trial."""

import copy
import json
import pickle
import random
import time
import unittest

import dirty_arbiter
from dirty_arbiter import DirtyError, DirtyTimeoutError, _encode, _hints, _json
from dirty_arbiter._frame import BadFrame, FrameDecoder, Limits, frame

NAMES = ["a", "é", "", "a/b", "~", '"\\', "\ud83d", "\u2028"]


def value(random, depth=0):
    """A random JSON value."""
    kind = random.randrange(8 if depth < 4 else 6)
    if kind < 6:
        return random.choice([None, True, False, 0, -1, 10**20, 2**53, 1.5, -0.0, 1e300, "", "text", "é\ud83d\0", *NAMES])
    if kind == 6:
        return [value(random, depth + 1) for _ in range(random.randrange(4))]
    return {random.choice(NAMES): value(random, depth + 1) for _ in range(random.randrange(4))}


def mutated(random, text):
    """The text with a few characters changed."""
    characters = list(text)
    for _ in range(random.randrange(3)):
        at = random.randrange(len(characters) + 1)
        new = random.choice(list('{}[],:"\\ \n0-1.eEtrufalsn') + ["NaN", "Infinity", "01", "é"])
        if random.random() < 0.5:
            characters.insert(at, new)
        elif characters:
            characters[min(at, len(characters) - 1)] = new
    return "".join(characters)


class Parsing(unittest.TestCase):
    def judge(self, text, parse):
        try:
            document = parse(text)
        except (_json.NotJson, _json.NotAnObject) as error:
            return type(error).__name__, None
        if document.non_finite is not None:
            return "NaN", document.non_finite
        return "ok", repr(document.members)

    def test_the_two_parsers_and_the_standard_one_agree(self):
        trial = random.Random(1)
        verdicts = set()
        for _ in range(10_000):
            escaped = trial.random() < 0.5
            if trial.random() < 0.9:
                # By hand, so that a name can stand twice.
                members = [(trial.choice("mno"), value(trial)) for _ in range(3)]
                texts = [f"{json.dumps(name)}: {json.dumps(item, ensure_ascii=escaped)}" for name, item in members]
                text = "{" + ", ".join(texts) + "}"
            else:
                text = json.dumps(value(trial), ensure_ascii=escaped)
            text = mutated(trial, text)
            quick = self.judge(text, lambda text: _json.parse(text, 512))
            slow = self.judge(text, lambda text: _json._Parser(text, 512).run())
            self.assertEqual(quick, slow, text)
            try:
                standard = json.loads(text)
                expected = {"ok", "NaN"} if isinstance(standard, dict) else {"NotAnObject", "NaN"}
            except ValueError:
                expected = {"NotJson"}
            self.assertIn(quick[0], expected, text)
            verdicts.add(quick[0])
        self.assertEqual(verdicts, {"ok", "NaN", "NotJson", "NotAnObject"})

    def test_depth_is_judged_exactly_and_costs_no_stack(self):
        for levels in (100, 511, 512, 513, 5_000, 200_000):
            for opening, closing in (("[", "]"), ('{"a":', "}")):
                inner = "[]" if opening == "[" else "{}"
                text = '{"x":' + opening * (levels - 2) + inner + closing * (levels - 2) + "}"
                document = _json.parse(text, 512)
                self.assertEqual(document.too_deep is None, levels <= 512, levels)
                if levels > 512:
                    self.assertEqual(document.depth, levels)
        # Brackets in strings, and many beside each other, nest nothing.
        wide = json.dumps({"x": [[]] * 2000, "y": "[" * 2000})
        self.assertIsNone(_json.parse(wide, 512).too_deep)

    def test_time_is_linear(self):
        def seconds(size):
            text = json.dumps({"x": ["é" * 10, {"k": 1}] * size}, ensure_ascii=False)
            start = time.perf_counter()
            _json._Parser(text, 512).run()
            return time.perf_counter() - start

        ratio = min(seconds(80_000) for _ in range(3)) / min(seconds(10_000) for _ in range(3))
        self.assertLess(ratio, 32, "8 times the text took that much longer")


class Encoding(unittest.TestCase):
    def encode(self, value, hinting=_encode.NONE, limit=1 << 26):
        hints = {}
        return b"".join(_encode.encode(value, "/result", hinting, hints, 512, limit)), hints

    def slowly(self, value, hinting=_encode.NONE):
        hints = {}
        return b"".join(_encode._Writer("/result", hinting, hints, 511, 1 << 26).write(value)), hints

    def test_the_quick_way_writes_what_the_careful_one_writes(self):
        trial = random.Random(2)
        for _ in range(10_000):
            made = value(trial)
            for hinting in (_encode.NONE, _encode.ALL):
                self.assertEqual(self.encode(made, hinting), self.slowly(made, hinting))
            text, _ = self.encode(made)
            text.decode("utf-8")
            self.assertEqual(repr(json.loads(text)), repr(made))

    def test_hints_lead_back_to_the_value(self):
        trial = random.Random(3)
        special = [b"", b"\0\xff", bytearray(b"x"), float("nan"), float("inf"), -float("inf"), -(10**30), 2**53]
        for _ in range(5_000):
            made = {"a": value(trial), "b/~": [trial.choice(special), value(trial), {"c": trial.choice(special)}]}
            text, hints = self.encode(made, _encode.ALL)
            message = {"result": json.loads(text)}
            _hints.apply(message, hints, ("result",))
            expected = repr(made).replace("bytearray(b'x')", "b'x'")
            self.assertEqual(repr(message["result"]), expected)

    def test_a_value_that_changes_while_it_is_written_is_refused(self):
        class Growing(dict):
            def items(self):
                for name in list(self):
                    yield name, self[name]
                    self["more"] = {1}

        with self.assertRaises(_encode.Unsendable):
            self.encode(Growing(a=1, b={2}))

    def test_a_list_that_holds_another_many_times_is_written_and_bounded(self):
        shared = ["x" * 10]
        self.assertEqual(len(self.encode([shared] * 3)[0]), len('[["xxxxxxxxxx"],["xxxxxxxxxx"],["xxxxxxxxxx"]]'))
        doubled = []
        for _ in range(100):
            doubled = [doubled, doubled]
        with self.assertRaises(_encode.Unsendable) as raised:
            self.encode(doubled, limit=1 << 16)
        self.assertEqual(raised.exception.requirement, "ERR-8")


class Frames(unittest.TestCase):
    def test_frames_come_out_however_the_bytes_go_in(self):
        trial = random.Random(4)
        payloads = [bytes([65 + n % 26]) * trial.randrange(1, 3000) for n in range(50)]
        stream = b"".join(frame([payload], Limits()) for payload in payloads)
        for _ in range(20):
            frames, got, at = FrameDecoder(Limits()), [], 0
            while at < len(stream):
                step = trial.randrange(1, 5000)
                frames.feed(stream[at : at + step])
                at += step
                while (payload := frames.next()) is not None:
                    got.append(payload)
            self.assertEqual(got, payloads)
            frames.finish()

    def test_the_length_is_judged_before_the_payload(self):
        for header, requirement in [(b"\0\0\0\0", "FRAME-3"), (b"\x04\0\0\x01", "FRAME-3")]:
            frames = FrameDecoder(Limits())
            frames.feed(header)
            with self.assertRaises(BadFrame) as raised:
                frames.next()
            self.assertEqual(raised.exception.requirement, requirement)
        for part in (b"\0", b"\0\0\0\x05ab"):
            frames = FrameDecoder(Limits())
            frames.feed(part)
            self.assertIsNone(frames.next())
            with self.assertRaises(BadFrame):
                frames.finish()


class Errors(unittest.TestCase):
    def test_every_error_survives_pickling_and_copying(self):
        kinds = [getattr(dirty_arbiter, name) for name in dirty_arbiter.__all__ if name.endswith("Error")]
        self.assertEqual(len(kinds), 10)
        details = {"app_path": "a:B", "action": "c", "traceback": "t", "timeout": 2.5, "worker_id": 3, "raw_data": "00"}
        for kind in kinds:
            error = kind("what", details, phase="run")
            for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
                self.assertIs(type(other), kind)
                self.assertEqual((other.message, other.details, str(other)), ("what", {**details, "phase": "run"}, "what"))
                self.assertEqual((other.app_path, other.action, other.traceback), ("a:B", "c", "t"))
                self.assertEqual((other.timeout, other.worker_id, other.phase), (2.5, 3, "run"))
            self.assertIsInstance(error, DirtyError)

    def test_details_of_the_wrong_type_are_not_attributes(self):
        error = DirtyTimeoutError("x", timeout="soon", action=7, worker_id=True)
        self.assertEqual((error.timeout, error.action, error.worker_id), (None, None, None))


if __name__ == "__main__":
    unittest.main()
