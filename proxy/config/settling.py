"""When is a changed config quiet enough to be read? A decision without I/O and without a clock of its own."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """`changed`: read it now. Else ask again in `wait_seconds`; None: no hurry."""

    changed: bool
    wait_seconds: float | None = None


class Settling:
    """Remembers the digest that was tried last and the one that is still moving.

    A digest is due once it has stood still for `settle_seconds`. It is compared with what was *tried*,
    not with what runs: a rejected content is not tried again and again, but going back to the running
    content is a change (the reload that follows clears the alarm).
    """

    def __init__(self, tried: str, settle_seconds: float) -> None:
        self.tried = tried
        self._settle_seconds = settle_seconds
        self._moving: tuple[str, float] | None = None

    def observe(self, digest: str, now: float, *, at_once: bool = False) -> Verdict:
        """`now` is monotonic seconds. `at_once` leaves out the waiting."""
        if digest == self.tried:
            self._moving = None
            return Verdict(changed=False)
        since = self._since(digest, now)
        left = since + self._settle_seconds - now
        if left > 0 and not at_once:
            return Verdict(changed=False, wait_seconds=left)
        self.tried = digest
        self._moving = None
        return Verdict(changed=True)

    def _since(self, digest: str, now: float) -> float:
        if self._moving is None or self._moving[0] != digest:
            self._moving = (digest, now)
        return self._moving[1]
