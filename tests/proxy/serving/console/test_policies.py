"""Policies: the rules with their hits, and what each says to one call; for operators."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.proxy.serving.console.running import config, console, sent, text_of
from tests.proxy.support import written

PAGE = "/console/policies"
CREATE = "shop.org.main.items.create"


async def test_rules_with_hits_that_survive_a_reload(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("boss") as boss:
        await made.run(
            "await Promise.allSettled([1, 2].map(() => tools.shop.org.main.items.delete({id: '1'})))"
        )
        before = text_of(await boss.get(PAGE))
        assert "4 rules, 3 without a hit since this process started, 1 that can never apply" in before
        assert "never applies: asks comes first" in before
        written(
            tmp_path, config().replace("Kept <b>for ever</b>", "Kept").replace("id: hidden", "id: secret")
        )
        assert (await made.application.gateway.reload()).outcome == "applied"
        assert "4 rules, 4 without a hit" in text_of(await boss.get(PAGE)), "the rule says something else now"
        await made.run("await tools.shop.org.main.items.delete({id: '1'})")
        written(
            tmp_path, config().replace("Kept <b>for ever</b>", "Kept").replace("policies:", "policies:\n\n")
        )
        await made.application.gateway.reload()
        assert "4 rules, 3 without a hit" in text_of(await boss.get(PAGE)), "the rule stands a line lower"


async def test_each_rule_answers_a_call(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("boss") as boss:
        fields = {"tool": CREATE, "as": "key=agent", "arguments": '{"body": {"name": "x"}}'}
        said = text_of(await sent(boss, PAGE, **fields))
        assert "asks decides asks shop.*.*.items.create" in said
        assert "other tools no-deletes" in said
        assert "not reached never" in said
        other = text_of(await sent(boss, PAGE, tool="shop.org.main.items.list", **{"as": "key=agent"}))
        assert "skipped hidden" in other
        assert "only for key:bob" in other


async def test_a_key_is_in_its_groups(tmp_path: Path, env: Mapping[str, str]) -> None:
    """What is said of a key is true of its requests, which bring its groups along."""
    text = config().replace('principals: ["key:bob"]', 'principals: ["group:ops"]')
    async with console(tmp_path, env, text) as made, made.as_("boss") as boss:
        for who, words in (("key=boss", "decides hidden"), ("key=boss,group=ops", "decides hidden"),
                           ("key=bob", "only for group:ops")):  # fmt: skip
            fields = {"tool": "shop.org.main.items.list", "as": who}
            assert words in text_of(await sent(boss, PAGE, **fields)), who
        answer = await sent(boss, PAGE, tool=CREATE, **{"as": "key=bob,group=ops"})
        assert "it has other groups: none" in text_of(answer)
        listed = await boss.get("/console/tools?as=key%3Dboss")
        assert "items.list" not in text_of(listed)
        assert "items.list" in text_of(await boss.get("/console/tools?as=key%3Dbob"))


async def test_what_cannot_be_explained_says_why(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("boss") as boss:
        for fields, words in (
            ({}, "name a tool"),
            ({"tool": "shop.org.main.items.creat"}, f"Did you mean {CREATE}"),
            ({"tool": CREATE, "arguments": "{"}, "must be a JSON object"),
            ({"tool": CREATE, "arguments": "[1]"}, "must be a JSON object"),
            ({"tool": CREATE, "as": "somebody"}, "expected one of key=NAME"),
            ({"tool": CREATE, "as": "key=nobody"}, "no such key; there are: agent, boss, bob"),
            ({"tool": "<script>alert(1)</script>"}, "There is no tool"),
        ):
            answer = await sent(boss, PAGE, **fields)
            assert answer.status_code == 422
            assert words in text_of(answer)
            assert "<script>alert" not in answer.text


async def test_others_get_nothing(tmp_path: Path, env: Mapping[str, str]) -> None:
    async with console(tmp_path, env) as made, made.as_("bob") as bob:
        assert (await bob.get(PAGE)).status_code == 403
        assert "Policies" not in (await bob.get("/console/tools")).text
        token = (await bob.get("/console/tools/shop.org.main.items.get")).text.split('name="csrf" value="')[1]
        answer = await bob.post(PAGE, {"csrf": token.split('"')[0], "tool": CREATE})
        assert answer.status_code == 403
