"""LiveMask's entry point: `python run_app.py COMMAND …`; `--help` lists the commands."""

import sys

from app.cli import main

if __name__ == "__main__":
    sys.exit(main())
