import json
import re

import pytest

from proxy.commands.demo_api import MOST_ITEMS, STOCK, Inventory, delay_seconds, openapi_document

BOLT = {"name": "Hex bolt M6", "category": "fasteners", "quantity": 10, "price": 0.1}


def test_pages_cover_everything_once() -> None:
    inventory, seen, cursor = Inventory(), [], None
    while True:
        status, page = inventory.page({"limit": "3"} | ({"cursor": cursor} if cursor else {}))
        assert status == 200
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == [item.id for item in STOCK]


def test_a_page_can_be_of_one_category() -> None:
    _, page = Inventory().page({"category": "drives"})
    assert [item["category"] for item in page["items"]] == ["drives", "drives"]
    assert page["next"] is None
    assert Inventory().page({"category": "none"})[1] == {"items": [], "next": None}


@pytest.mark.parametrize("limit", ["0", "51", "x", "-1", "", "99999999999", "\N{SUPERSCRIPT TWO}"])
def test_a_wrong_limit_is_refused(limit: str) -> None:
    assert Inventory().page({"limit": limit})[0] == 400


def test_an_item_lives() -> None:
    inventory = Inventory()
    status, created = inventory.create(BOLT)
    assert status == 201
    assert inventory.get(created["id"]) == (200, created)
    assert inventory.update(created["id"], {"price": 2})[1]["price"] == 2
    assert inventory.adjust_stock(created["id"], {"change": -4})[1]["quantity"] == 6
    assert inventory.delete(created["id"]) == (204, None)
    assert inventory.get(created["id"])[0] == 404


def test_ids_are_never_used_again() -> None:
    inventory = Inventory()
    first = inventory.create(BOLT)[1]["id"]
    inventory.delete(first)
    assert inventory.create(BOLT)[1]["id"] != first


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {**BOLT, "id": "itm_1"},
        {**BOLT, "name": ""},
        {**BOLT, "quantity": 1.5},
        {**BOLT, "quantity": True},
        {**BOLT, "price": "1"},
        {**BOLT, "price": -1},
    ],
)
def test_a_wrong_item_is_refused_with_reasons(body: object) -> None:
    status, answer = Inventory().create(body)
    assert status == 422
    assert answer["errors"]


def test_stock_cannot_become_negative() -> None:
    inventory = Inventory()
    assert inventory.adjust_stock("itm_8", {"change": -4})[0] == 409
    assert inventory.adjust_stock("itm_8", {"change": True})[0] == 422
    assert inventory.adjust_stock("itm_8", [])[0] == 422
    assert inventory.get("itm_8")[1]["quantity"] == 3


def test_unknown_items_are_unknown_to_every_operation() -> None:
    inventory = Inventory()
    answers = [
        inventory.get("x"),
        inventory.update("x", {}),
        inventory.adjust_stock("x", {"change": 1}),
        inventory.delete("x"),
    ]
    assert {status for status, _ in answers} == {404}
    assert inventory.update("itm_1", {"colour": "red"})[0] == 422


def test_the_demo_is_not_a_database() -> None:
    inventory = Inventory()
    for _ in range(MOST_ITEMS - len(STOCK)):
        inventory.create(BOLT)
    assert inventory.create(BOLT)[0] == 409


def test_purge_and_valuation() -> None:
    inventory = Inventory()
    worth = inventory.valuation()[1]
    assert worth["total"] == round(sum(worth["categories"].values()), 2) > 0
    assert inventory.purge() == (200, {"removed": len(STOCK)})
    assert inventory.valuation()[1]["total"] == 0


def test_the_delay_has_limits() -> None:
    assert delay_seconds({}) == 2
    assert delay_seconds({"seconds": "0.5"}) == 0.5
    for wrong in ("31", "-1", "nan", "x"):
        with pytest.raises(ValueError, match=r".*"):
            delay_seconds({"seconds": wrong})


def test_the_document_is_whole() -> None:
    document = openapi_document()
    text = json.dumps(document)
    for pointer in re.findall(r'"#(/[^"]+)"', text):
        node = document
        for part in pointer[1:].split("/"):
            node = node[part]
    operations = [
        operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    ]
    assert len({operation["operationId"] for operation in operations}) == len(operations) == 9
    assert all(operation["operationId"].startswith(f"{operation['tags'][0]}.") for operation in operations)
