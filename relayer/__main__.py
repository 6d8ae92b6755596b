"""Run the command line as `python -m relayer`."""

from relayer.cli.main import main

main()
