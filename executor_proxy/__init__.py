"""What an installed wheel is called by: the packages themselves lie below `_src` (see `executor_proxy.__main__`)."""
