"""Receives the webhook of Executor and prints one line for each execution that waits for a person.

    APPROVALS_SECRET=whsec_... python3 examples/approvals/receiver.py [PORT]

A real one would write into a chat; the message is a notice, and deciding happens in Executor. Only the standard
library is used. Messages are signed as Standard Webhooks (https://www.standardwebhooks.com/) says.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

TOLERANCE_SECONDS = 300
LARGEST_BODY = 1 << 20


def is_genuine(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether the message was signed with the secret in the last five minutes."""
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs(time.time() - int(stamp)) > TOLERANCE_SECONDS:
        return False
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    good = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return any(hmac.compare_digest(good, one) for one in headers.get("webhook-signature", "").split())


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        body = self.rfile.read(min(length, LARGEST_BODY))
        headers = {name.lower(): value for name, value in self.headers.items()}
        genuine = is_genuine(os.environ["APPROVALS_SECRET"], headers, body)
        self.send_response(204 if genuine else 401)
        self.end_headers()
        if genuine:
            announce(headers["webhook-id"], json.loads(body)["data"])

    def log_message(self, format: str, *args: object) -> None:
        """Only announcements are printed."""


SEEN: set[str] = set()


def announce(message: str, data: dict[str, object]) -> None:
    """Delivery is at least once: a message that comes again has the same id."""
    if message not in SEEN:
        SEEN.add(message)
        print(
            f"{data['executionId']} waits for {data['interactionCount']}: {data['approvalUrl']}", flush=True
        )


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9799
    with HTTPServer(("127.0.0.1", port), Receiver) as server:
        print(f"listening on http://127.0.0.1:{server.server_address[1]}/approvals", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
