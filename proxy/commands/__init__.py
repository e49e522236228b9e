"""One module a command: `add_parser(subparsers)` declares its arguments, `run(args)` gives the exit code."""
