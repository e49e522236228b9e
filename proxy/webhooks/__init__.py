"""Tells people elsewhere, through a signed webhook, that an execution waits for them."""

from proxy.webhooks.schedule import Timing
from proxy.webhooks.sender import WebhookSender
from proxy.webhooks.signature import WrongSecret, check_secret

__all__ = ["Timing", "WebhookSender", "WrongSecret", "check_secret"]
