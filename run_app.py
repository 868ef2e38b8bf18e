"""LiveMask's entry point: `python run_app.py COMMAND …`; `--help` lists the commands."""

import sys

from app.cli import main

OWN_PACKAGES = ("app", "model", "pipeline", "ui")

if __name__ == "__main__":
    try:
        sys.exit(main())
    except ModuleNotFoundError as error:
        if (error.name or "").startswith(OWN_PACKAGES):
            raise
        sys.exit(
            f"error: this Python lacks the module {error.name!r}; run `make demo`, which installs what is "
            "needed into .venv, or use the Python there: .venv/bin/python run_app.py"
        )
