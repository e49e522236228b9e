"""The text of a new config file: what is declared already, and a comment for each next step."""

from __future__ import annotations

from proxy.authoring.draft import Draft
from proxy.authoring.insert import insert

SCHEMA_FILE = "executor.schema.json"
_STARTER = f"""\
# yaml-language-server: $schema=./{SCHEMA_FILE}
# What Executor serves. Commit this file: secrets are named here, never written.
#   executor validate    checks it
#   executor serve       serves it; a change of this file is taken over while it serves
# Connect an agent (`serve` prints the token):
#   npx add-mcp http://127.0.0.1:8080/mcp --transport http --name executor --header 'Authorization: Bearer TOKEN'
version: 1

# What agents may call. Add one with `executor init` and --preset github, --openapi FILE or URL, --graphql URL,
# --mcp 'COMMAND' or --from mcp.json; or by hand, such as
#   github: {{preset: github}}
integrations: {{}}

# Whose credentials are used: <integration>.<owner>.<connection>, such as
#   github.org.main: {{auth: {{kind: bearer, token: {{env: GITHUB_TOKEN}}}}}}
connections: {{}}

# What may happen without asking: the first rule that matches decides. Without one, reads run and the rest asks.
#   executor explain TOOL says what would happen
# policies:
#   - {{pattern: github.*.*.repos.delete, action: block, reason: Repositories are deleted by hand}}

# Who may call. Without `auth`, `serve` makes a token for this machine and prints it.
#   executor keys create NAME --workspace default makes a key that others can use
# auth: {{api_keys: {{keys: {{}}}}}}
"""


def starter(draft: Draft) -> str:
    """A whole file with the draft's entries in it."""
    return insert(_STARTER, sections_of(draft))


def sections_of(draft: Draft) -> dict[str, dict[str, dict[str, object]]]:
    return {"integrations": draft.integrations, "connections": draft.connections}
