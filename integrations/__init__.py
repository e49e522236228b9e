"""How to speak to an upstream. One self-contained folder per kind; nothing here knows the proxy."""
