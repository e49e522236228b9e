"""Where `make specs` puts real GraphQL schemas, and a server that is not ours."""

from __future__ import annotations

from pathlib import Path

SPECS = Path(__file__).resolve().parents[3] / ".specs" / "graphql"
SCHEMAS = ("github.json", "github.graphql", "cardano.graphql", "dialogporten.graphql")
SERVER = SPECS / "npm"
