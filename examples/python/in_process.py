"""The same model without a dirty arbiter: every web worker loads it for itself. Only for comparison, see memory.py."""

from digits import Digits
from flask import Flask

app = Flask(__name__)
digits = Digits()
digits.init()


@app.get("/digit/<int:number>")
def digit(number):
    sample = digits.sample(number)
    return {**digits.read(sample["pixels"]), "label": sample["label"]}
