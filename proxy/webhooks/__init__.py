"""Tells people elsewhere, through a signed webhook, that an execution waits for them."""

from proxy.webhooks.herald import Herald
from proxy.webhooks.schedule import Timing
from proxy.webhooks.signature import WrongSecret, check_secret

__all__ = ["Herald", "Timing", "WrongSecret", "check_secret"]
