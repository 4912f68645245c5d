"""The command ``python -m minigrad.crosscheck``. The function of that name is in `minigrad.inside.crosscheck`."""

import sys

from .inside.crosscheck import crosscheck, main

if __name__ == "__main__":
    sys.exit(main())

sys.modules[__name__] = crosscheck  # type: ignore[assignment]  # so that minigrad.crosscheck stays the function
