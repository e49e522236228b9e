"""The demo upstream's core: a small inventory, its rules, and the OpenAPI document that describes it.

No I/O in here. Methods answer `(status, body)`; `demo_server` puts them on HTTP.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from typing import Any, Final

DemoAnswer = tuple[int, Any]

MOST_ITEMS: Final = 1000
LONGEST_NAME: Final = 100
LARGEST_PAGE: Final = 50
LONGEST_DELAY_SECONDS: Final = 30.0
_FIELDS: Final = ("name", "category", "quantity", "price")


@dataclass(frozen=True, slots=True)
class InventoryItem:
    """`price` is in euros."""

    id: str
    name: str
    category: str
    quantity: int
    price: float


STOCK: Final = (
    InventoryItem("itm_1", "Hex bolt M8", "fasteners", 1200, 0.12),
    InventoryItem("itm_2", "Wing nut M8", "fasteners", 340, 0.31),
    InventoryItem("itm_3", "Ball bearing 608", "bearings", 85, 1.9),
    InventoryItem("itm_4", "Timing belt GT2", "drives", 14, 6.5),
    InventoryItem("itm_5", "Stepper motor NEMA 17", "drives", 6, 18.4),
    InventoryItem("itm_6", "Aluminium profile 2020", "profiles", 41, 7.2),
    InventoryItem("itm_7", "Corner bracket 2020", "profiles", 260, 0.85),
    InventoryItem("itm_8", "Linear rail MGN12", "guides", 3, 29.9),
)


def openapi_document() -> dict[str, Any]:
    """OpenAPI 3.1; the server is `/`, so it fits whatever port it is served from."""
    text = files("proxy.commands").joinpath("demo_openapi.json").read_text("utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


class Inventory:
    """All items of one run, in memory."""

    def __init__(self) -> None:
        self._items = {item.id: item for item in STOCK}
        self._created = len(STOCK)

    def page(self, query: Mapping[str, str]) -> DemoAnswer:
        """Items by id, `limit` at a time; `next` is the cursor of the following page, or null."""
        limit = query.get("limit", "3")
        if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit[:4]) <= LARGEST_PAGE:
            return _wrong(400, f"limit: expected 1 to {LARGEST_PAGE}")
        category = query.get("category")
        items = [item for item in self._items.values() if category in (None, item.category)]
        after = query.get("cursor")
        ids = [item.id for item in items]
        start = ids.index(after) + 1 if after in ids else 0
        shown = items[start : start + int(limit)]
        more = start + int(limit) < len(items)
        return 200, {"items": [asdict(item) for item in shown], "next": shown[-1].id if more else None}

    def get(self, item_id: str) -> DemoAnswer:
        item = self._items.get(item_id)
        return _unknown(item_id) if item is None else (200, asdict(item))

    def create(self, body: Any) -> DemoAnswer:
        problems = _problems(body, required=_FIELDS)
        if problems:
            return _wrong(422, "the item is not valid", problems)
        if len(self._items) >= MOST_ITEMS:
            return _wrong(409, f"the demo holds at most {MOST_ITEMS} items")
        self._created += 1
        item = InventoryItem(id=f"itm_{self._created}", **body)
        self._items[item.id] = item
        return 201, asdict(item)

    def update(self, item_id: str, body: Any) -> DemoAnswer:
        item = self._items.get(item_id)
        if item is None:
            return _unknown(item_id)
        problems = _problems(body, required=())
        if problems:
            return _wrong(422, "the change is not valid", problems)
        self._items[item_id] = replace(item, **body)
        return 200, asdict(self._items[item_id])

    def adjust_stock(self, item_id: str, body: Any) -> DemoAnswer:
        """Adds `change`, which may be negative; the quantity never is."""
        item = self._items.get(item_id)
        if item is None:
            return _unknown(item_id)
        change = body.get("change") if isinstance(body, dict) else None
        if not isinstance(change, int) or isinstance(change, bool):
            return _wrong(422, "change: expected an integer")
        if item.quantity + change < 0:
            return _wrong(409, f"only {item.quantity} of {item.name} in stock")
        return self.update(item_id, {"quantity": item.quantity + change})

    def delete(self, item_id: str) -> DemoAnswer:
        return _unknown(item_id) if self._items.pop(item_id, None) is None else (204, None)

    def purge(self) -> DemoAnswer:
        """Removes everything: what a policy should block."""
        removed = len(self._items)
        self._items.clear()
        return 200, {"removed": removed}

    def valuation(self) -> DemoAnswer:
        """What the stock is worth, by category and in all, in euros."""
        worth: dict[str, float] = {}
        for item in self._items.values():
            worth[item.category] = round(worth.get(item.category, 0) + item.quantity * item.price, 2)
        return 200, {"currency": "EUR", "categories": worth, "total": round(sum(worth.values()), 2)}


def delay_seconds(query: Mapping[str, str]) -> float:
    """How long the slow report takes: `seconds`, by default 2. Raises ValueError outside of the limits."""
    seconds = float(query.get("seconds", "2"))
    if not 0 <= seconds <= LONGEST_DELAY_SECONDS:
        raise ValueError(seconds)
    return seconds


def _problems(body: Any, required: tuple[str, ...]) -> list[str]:
    if not isinstance(body, dict):
        return ["expected a JSON object"]
    missing = [f"{name}: missing" for name in required if name not in body]
    unknown = [f"{name}: unknown" for name in body if name not in _FIELDS]
    return (
        missing
        + unknown
        + [f"{name}: {why}" for name in _FIELDS if name in body for why in _bad(name, body[name])]
    )


def _bad(name: str, value: Any) -> list[str]:
    if name in ("name", "category"):
        fits = isinstance(value, str) and 1 <= len(value) <= LONGEST_NAME
        return [] if fits else [f"expected text of 1 to {LONGEST_NAME} characters"]
    kinds = (int,) if name == "quantity" else (int, float)
    fits = isinstance(value, kinds) and not isinstance(value, bool) and 0 <= value <= 1e9
    return [] if fits else [f"expected {'an integer' if name == 'quantity' else 'a number'} from 0 on"]


def _unknown(item_id: str) -> DemoAnswer:
    return _wrong(404, f"no item {item_id[:LONGEST_NAME]!r}")


def _wrong(status: int, message: str, errors: list[str] | None = None) -> DemoAnswer:
    return status, {"message": message, **({"errors": errors} if errors else {})}
