"""Runs the page's engine in V8, without a browser."""

import json
from typing import Any

from py_mini_racer import MiniRacer

from paper_repro.demo.page import engine_source


class Engine:
    """The functions of the engine, called with and returning what JSON can hold."""

    def __init__(self) -> None:
        self.context = MiniRacer()
        self.context.eval(engine_source())

    def __call__(self, expression: str, **values: Any) -> Any:
        """Value of a JavaScript expression in which ``values`` are named."""
        names = ", ".join(values)
        given = ", ".join(json.dumps(value) for value in values.values())
        return json.loads(self.context.eval(f"JSON.stringify((({names}) => ({expression}))({given}))"))
