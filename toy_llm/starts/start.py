"""What every warm start can do, whatever it learns from."""

from pathlib import Path
from typing import Protocol

from toy_llm.network.transformer import Transformer


class WarmStart(Protocol):
    """A recipe for a network that has learnt from right and wrong traces before the policy gradient begins."""

    @property
    def key(self) -> str:
        """Name of the cached file: a hash of everything that decides its content."""

    def problems(self) -> list[str]:
        """What is wrong with these settings, one line each.

        None if all is well. `make` refuses them; a configuration lists them beside its own.
        """

    def build(self) -> Transformer:
        """The untrained network; its weights depend on the sizes and the seed alone.

        A checkpoint loads its parameters into it, so no training is needed to read one.
        """

    def make(self, cache_dir: str | Path, progress: bool = False) -> Transformer:
        """The trained network: from the folder ``cache_dir`` if it is there, else trained and kept there.

        Raises `InputError` for bad settings, an unwritable folder or a corrupt file.
        """
