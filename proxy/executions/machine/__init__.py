"""What an execution does next, as pure functions: no I/O, no await, no clock.

Events go in and commands come out (`events`); `step` is the only function that turns one into the other. The rest of
`proxy.executions` carries the commands out. A contract in `pyproject.toml` keeps this package from `asyncio`, from
clocks and from `proxy.state`.
"""
