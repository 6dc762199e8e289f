"""Stands in for openai: a chat that answers with the question, character by character."""

import asyncio
from types import SimpleNamespace


class AsyncOpenAI:
    def __init__(self):
        self.chat = SimpleNamespace(completions=SimpleNamespace(create=self._create))

    async def _create(self, model, messages, stream):
        async def chunks():
            for character in [*messages[-1]["content"], None]:
                await asyncio.sleep(0)
                yield SimpleNamespace(choices=[SimpleNamespace(delta=SimpleNamespace(content=character))])

        return chunks()
