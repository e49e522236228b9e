"""How an MCP server of a workspace can be, in the words of the workspace API."""

from __future__ import annotations

from typing import Final

PLAIN_STATUSES: Final = ("connected", "disabled", "needs_auth")
EXPLAINED_STATUSES: Final = ("failed", "needs_client_registration")
"""Those that come with an `error`."""
