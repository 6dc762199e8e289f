"""An app to look at: what a language model looks like from outside, without the model."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

from ..app import DirtyApp

# Between two tokens, in seconds.
_PAUSE = 0.04
_KIND = frozenset({"good", "great", "fast", "love", "like", "works"})


class _Model:
    """What a model would be: it takes its time to load, and is kept."""

    def predict(self, text: str) -> dict[str, Any]:
        """The share of kind words, as if it were a mood."""
        words = text.lower().split()
        kind = sum(re.sub(r"^\W+|\W+$", "", word) in _KIND for word in words)
        score = (1 + kind) / (2 + len(words))
        return {"label": "positive" if score >= 0.3 else "neutral", "score": score}


class LLM(DirtyApp):
    """`demo:LLM`: models that are loaded once and stay, inference, and tokens that appear one by one."""

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}

    def init(self) -> None:
        self.load_model("base-model")

    def load_model(self, name: str) -> dict[str, Any]:
        self._models.setdefault(name, _Model())
        return {"loaded": True, "name": name}

    def inference(self, model_name: str, input_text: str) -> dict[str, Any]:
        model = self._models.get(model_name)
        if model is None:
            raise ValueError(f"model not loaded: {model_name}")
        return model.predict(input_text)

    def generate(self, prompt: str, limit: int | None = None) -> Iterator[str]:
        answer = (
            f'You asked: "{prompt.strip()}". This worker was started once, keeps its models in memory, and sends every '
            "token as soon as it is there."
        )
        for token in re.findall(r"\S+\s*", answer)[:limit]:
            time.sleep(_PAUSE)
            yield token

    def close(self) -> None:
        self._models.clear()
