"""`python -m unisinger_cli`."""

import sys

from unisinger_cli.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
