"""What a client may still believe: the connections each recent catalog revision had, to name what changed since."""

from __future__ import annotations

from collections import OrderedDict

from proxy.catalog import Catalog, CatalogConnection

REMEMBERED = 256
_NAMES_SHOWN = 8


class Revisions:
    """Remembers the catalogs that were described lately; the oldest are forgotten."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, dict[str, object]] = OrderedDict()

    def remember(self, catalog: Catalog) -> None:
        self._seen[catalog.revision] = _faces(catalog)
        self._seen.move_to_end(catalog.revision)
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def changes(self, revision: str, catalog: Catalog) -> str | None:
        """One line naming the integrations that differ; None when `revision` is the catalog's own."""
        if revision == catalog.revision:
            return None
        before = self._seen.get(revision)
        if before is None:
            return "The connected integrations may have changed; look with tools.catalog.namespaces({})."
        now = _faces(catalog)
        changed = sorted(
            {p.partition(".")[0] for p in before.keys() | now.keys() if before.get(p) != now.get(p)}
        )
        if not changed:
            return (
                "The configuration changed since you last listed tools; search again before you rely on it."
            )
        names = ", ".join(changed[:_NAMES_SHOWN]) + (", ..." if len(changed) > _NAMES_SHOWN else "")
        return f"Changed since you last listed tools: {names}. Search again before you rely on them."


def _faces(catalog: Catalog) -> dict[str, object]:
    return {one.prefix: _face(one) for one in catalog.connections}


def _face(connection: CatalogConnection) -> tuple[object, ...]:
    digest = connection.toolset.digest if connection.toolset is not None else None
    return (connection.kind, connection.status, connection.title, digest)
