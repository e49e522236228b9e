"""The lock of tool definitions: what was reviewed, and what of it an upstream has changed since. Pure but for files."""
