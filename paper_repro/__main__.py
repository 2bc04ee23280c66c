"""`python -m paper_repro`: the same as the command `spo`."""

import sys

from paper_repro.cli import main

if __name__ == "__main__":
    sys.exit(main())
