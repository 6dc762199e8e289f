"""What a language model looks like from outside: tokens that come one by one, with the time that each takes."""

import asyncio
import time

from dirty_arbiter import DirtyApp, current_call


class Chat(DirtyApp):
    def init(self):
        self.pause = 0.05

    def generate(self, prompt):
        for word in self._answer(prompt):
            time.sleep(self.pause)
            yield word

    async def generate_async(self, prompt):
        for word in self._answer(prompt):
            await asyncio.sleep(self.pause)
            yield word

    def ponder(self, seconds):
        """Long work that gives up when its caller does."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            current_call().check()
            time.sleep(0.01)
        return "42"

    def _answer(self, prompt):
        return f"You said: {prompt} — and that is all there is to say.".split(" ")
