"""An app with models in memory, as the documentation of gunicorn's dirty arbiters has its users write one."""

from dirty_arbiter import DirtyApp


class MLApp(DirtyApp):
    def __init__(self):
        self.models = {}

    def init(self):
        self.models["default"] = self._load_model("base-model")

    def __call__(self, action, *args, **kwargs):
        method = getattr(self, action, None)
        if method is None:
            raise ValueError(f"Unknown action: {action}")
        return method(*args, **kwargs)

    def load_model(self, name):
        if name not in self.models:
            self.models[name] = self._load_model(name)
        return {"loaded": True, "name": name}

    def inference(self, model_name, input_text):
        model = self.models.get(model_name)
        if not model:
            raise ValueError(f"Model not loaded: {model_name}")
        return model.predict(input_text)

    def _load_model(self, name):
        import torch

        return torch.load(f"models/{name}.pt")

    def close(self):
        for name in list(self.models):
            del self.models[name]
