"""``python -m dollygrip``."""

import sys

from dollygrip.cli import main

if __name__ == "__main__":
    sys.exit(main())
