"""Runs the command line as ``python -m bitso_spread``."""

from bitso_spread.cli import main

if __name__ == "__main__":
    main()
