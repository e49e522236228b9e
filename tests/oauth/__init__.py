"""OAuth servers that tests talk to."""
