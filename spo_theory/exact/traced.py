"""Methods as arguments of compiled code: another slope, threshold or clip runs the program that exists already.

A part names the numbers that may change in its class attribute ``traced``. All else about a method, its kinds of parts
above all, decides which program is compiled.
"""

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

import jax

from spo_theory.method import Method

Part = TypeVar("Part")


@jax.tree_util.register_pytree_node_class
class Traced(Generic[Part]):
    """A method, or one part of it, whose named numbers are leaves of a pytree; ``value`` is the method or part.

    Example:
        >>> from spo_theory import rule
        >>> jax.tree_util.tree_leaves(Traced(rule("spo", beta=5.0)))
        [5.0, 0.5, 0.2, 0.2]
    """

    def __init__(self, value: Part) -> None:
        self.value = value

    def tree_flatten(self) -> tuple[list[Any], Any]:
        """The numbers, and the same method or part without them, which is compared and hashed."""
        numbers = [getattr(part, name) for part, name in self._places()]
        return numbers, self._with(iter([None] * len(numbers)))

    @classmethod
    def tree_unflatten(cls, skeleton: Part, numbers: Any) -> "Traced[Part]":
        """The method or part with ``numbers``, or what stands for them while a program is compiled."""
        return cls(cls(skeleton)._with(iter(numbers)))

    def _parts(self) -> list[Any]:
        """The parts of a method, or the single part."""
        return list(self.value.parts().values()) if isinstance(self.value, Method) else [self.value]

    def _places(self) -> list[tuple[Any, str]]:
        """Every traced number: the part that holds it and its name."""
        return [(part, name) for part in self._parts() for name in getattr(part, "traced", ())]

    def _with(self, numbers: Iterator[Any]) -> Any:
        """A copy that holds ``numbers`` in the order of `_places`."""
        if not isinstance(self.value, Method):
            return _renumbered(self.value, numbers)
        parts = {name: _renumbered(part, numbers) for name, part in self.value.parts().items()}
        return _changed(self.value, parts)


def _renumbered(part: Any, numbers: Iterator[Any]) -> Any:
    """``part`` with the next of ``numbers`` in its traced fields."""
    return _changed(part, {name: next(numbers) for name in getattr(part, "traced", ())})


def _changed(value: Any, fields: dict[str, Any]) -> Any:
    """A copy with other ``fields``; not validated, as these may have no values while a program is compiled."""
    made = object.__new__(type(value))
    vars(made).update(vars(value), **fields)
    return made
