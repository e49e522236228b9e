"""One module a command: `add_parser(subparsers)` declares its arguments, `run(args)` does it and gives the exit code."""
