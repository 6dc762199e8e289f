"""Stands in for transformers: a pipeline that repeats the prompt word by word."""


def pipeline(task, model):
    def generate(prompt, stream):
        for word in prompt.split():
            yield {"generated_text": word}

    return generate
