"""From the status to what the first page shows."""

from __future__ import annotations

from proxy.serving.console.overview import by_status, server_view
from proxy.serving.console.plots import HEIGHT, WIDTH, plot
from tests.proxy.serving.board_status import board_status
from tests.proxy.serving.pages.support import site


def test_replicas_are_compared_with_this_one() -> None:
    same, other = {"id": "a", "sha256": "ab12"}, {"id": "b", "sha256": "cd34"}
    view = server_view(board_status(replicas=[same, other]))
    assert [one.same for one in view.replicas] == [True, False]
    assert not view.agree
    assert server_view(board_status(replicas=[same])).agree


def test_statuses_are_counted_the_most_frequent_first() -> None:
    rows = [{"status": name} for name in ("failed", "connected", "connected")]
    assert by_status(rows) == [("connected", 2), ("failed", 1)]


def test_a_plot_fits_its_box_and_says_in_words_what_it_shows() -> None:
    made = plot("calls", [0, 4, 1000], [0, 1, 0])
    assert made.label == "1,004 calls in the last 3 minutes, 1 failed, 1,000 in the busiest minute"
    assert all(0 < bar.height <= HEIGHT and bar.x + bar.width <= WIDTH for bar in made.bars)
    assert made.bars[0].failed > 0
    assert plot("calls", [0], [0]).bars == ()


async def test_the_server_is_for_operators() -> None:
    made = site()
    async with made.signed_in("alice") as alice, made.signed_in("bob") as bob:
        operator, other = (await alice.get("/console")).text, (await bob.get("/console")).text
    assert "overview-replicas" in operator
    assert "overview-replicas" not in other
    assert "ab12" in other
