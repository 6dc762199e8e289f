"""An app that streams tokens, from a plain and from an asynchronous generator."""

from dirty_arbiter import DirtyApp


class LLMApp(DirtyApp):
    def init(self):
        from transformers import pipeline

        self.generator = pipeline("text-generation", model="gpt2")

    def generate(self, prompt):
        for token in self.generator(prompt, stream=True):
            yield token["generated_text"]

    async def generate_async(self, prompt):
        import openai

        client = openai.AsyncOpenAI()
        stream = await client.chat.completions.create(
            model="gpt-4", messages=[{"role": "user", "content": prompt}], stream=True
        )
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                yield chunk.choices[0].delta.content

    def generate_badly(self, prompt):
        yield prompt
        raise RuntimeError("out of tokens")

    def close(self):
        pass
