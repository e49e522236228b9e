"""The one guarded HTTP client: everything the proxy sends to an upstream goes through it.

`HttpClient.request` sends exactly one request and follows no redirect; that is the caller's decision, because only the
caller knows which credentials may be sent on. Environment proxies are never used.

What kinds of integration make of a response is here too: `redirects`, `media` types, `toolfile` values and `responses`
(a response as a result). These are imported where they are needed and not by this file.
"""

from integrations.http.client import HttpClient, HttpResponse, user_agent
from integrations.http.egress import EgressRules, origin_of
from integrations.http.errors import EgressDenied, HttpError, TimedOut, TooLarge, Unreachable
from integrations.http.transport import TransportOptions

__all__ = [
    "EgressDenied",
    "EgressRules",
    "HttpClient",
    "HttpError",
    "HttpResponse",
    "TimedOut",
    "TooLarge",
    "TransportOptions",
    "Unreachable",
    "origin_of",
    "user_agent",
]
