"""How many threads torch has: one, unless a run asks for more.

The operations of a small network are short. A second thread takes little off them on an idle machine, but beside a busy
process everybody waits for the thread that has no core. Cores are better used by several seeds, one process each.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def threads(number: int = 1) -> Iterator[None]:
    """Give torch ``number`` threads while the block runs, and then as many as it had before.

    >>> before = torch.get_num_threads()
    >>> with threads(2):
    ...     torch.get_num_threads()
    2
    >>> torch.get_num_threads() == before
    True
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
