"""Writing config: drafts from the configs of other programs, and new entries in a file that somebody wrote by hand."""
