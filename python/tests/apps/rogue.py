"""An app that does what apps should not."""

import datetime
import os
import sys


class Rogue:
    def nan(self):
        return {"scores": [0.5, float("nan")]}

    def a_set(self):
        return {"deep": [0, {1, 2}]}

    def a_date(self):
        return {"made": datetime.datetime(2026, 1, 1)}

    def a_loop(self):
        loop = {}
        loop["again"] = [loop]
        return loop

    def long_key(self, n, value):
        return {"k" * n: value}

    def set_under_a_long_key(self, n):
        return {"k" * n: {1}}

    def garbage(self):
        """What looks like frames, what is no text, and a line without an end."""
        sys.stdout.buffer.write(b"\x00\x00\x00\x02{}\x00\x00\x00\x01\xff\xfe\x80garbage\n")
        sys.stdout.buffer.write(b"x" * 300_000)
        sys.stdout.flush()
        os.write(1, b'{"type":"end","id":null}')
        os.write(2, b"\xc3(")
        return "printed"

    def close_output(self):
        os.close(1)
        os.close(2)
        print("into nothing", file=sys.stderr)

    def leave(self, code):
        os._exit(code)

    def stream_then_leave(self, code):
        yield 1
        os._exit(code)

    def sys_exit(self, code):
        sys.exit(code)

    def interrupt(self):
        raise KeyboardInterrupt

    def stream_interrupt(self):
        yield 1
        raise KeyboardInterrupt

    def pid(self):
        return os.getpid()


class Neighbour:
    """An honest app in the same workers."""

    def add(self, a, b):
        return a + b
