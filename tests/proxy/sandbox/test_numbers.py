"""Numbers that agent code makes of texts and literals: exact, or told and not sent."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.sandbox import Pool, PoolOptions
from tests.proxy.sandbox.tables import Ran, Table, check, run

UNSAFE = 9007199254740993
CALL = "(await tools.t.org.main.t.hello({id: %s})).ok"


async def ran(code: str) -> Ran:
    async with Pool(PoolOptions()) as pool:
        return await run(pool, code)


LITERALS: Table = [
    ("9007199254740993", UNSAFE),
    ("9007199254740993.0", UNSAFE),
    ("9_007_199_254_740_993.00", UNSAFE),
    ("9007199254740993e0", UNSAFE),
    ("9.007199254740993e15", UNSAFE),
    ("typeof 9007199254740993.", "bigint"),
    ("9007199254740992.0", 9007199254740992),
    ("typeof 9007199254740992.0", "number"),
    ("1e23", 1e23),
    ("6.02214076e23", 6.02214076e23),
    ("1.2345678901234567e300", 1.2345678901234567e300),
    ("3.14159265358979323846", 3.141592653589793),
    ("[9007199254740993.0, x()]\nfunction x() { throw new Error('a') }", "Error: a @2:26"),
    ("const a = [9007199254740993.0, b]", "ReferenceError: b is not defined @1:32"),
    ('JSON.parse(\'{"a": 1e400, "s": "1e400", "b": -1e999}\')', {"a": "1e400", "s": "1e400", "b": "-1e999"}),
    ("JSON.parse('1e308')", 1e308),
]

# `Number` and its kind are what they were in everything else.
READERS: Table = [
    ("[Number('12'), Number(), Number(null), Number(5n), Number('0x10'), Number(' 1.5 ')]", [12, 0, 0, 5, 16, 1.5]),
    ("[Number.name, Number.length, Number.MAX_SAFE_INTEGER, Number.isInteger(5)]", ["Number", 1, 2**53 - 1, True]),
    ("[(5).constructor === Number, new Number(5) instanceof Number, typeof Number('5')]", [True, True, "number"]),
    ("['1', '2', '3'].map(Number)", [1, 2, 3]),
    ("['10', '11', '12'].map((one) => parseInt(one, 2))", [2, 3, 1]),
    ("[Number.parseFloat === parseFloat, Number.parseInt === parseInt]", [True, True]),
    ("class N extends Number {}\nconst n = new N(5);\n[n instanceof N, n + 1]", [True, 6]),
    ("[parseInt('0x1f'), parseInt('077'), parseInt('12px'), parseFloat('1.5e3x')]", [31, 77, 12, 1500]),
    ("[Number(9007199254740993n), Number('9007199254740993')]", [9007199254740992, 9007199254740992]),
]  # fmt: skip


async def test_literals_are_exact_or_sizes() -> None:
    await check(LITERALS)


async def test_the_readers_of_numbers_are_what_they_were() -> None:
    await check(READERS)


@pytest.mark.parametrize(
    ("read", "exact"),
    [
        ('Number("9007199254740993")', 'BigInt("9007199254740993")'),
        ('Number("-9007199254740993")', 'BigInt("-9007199254740993")'),
        ('parseInt("9007199254740993")', 'BigInt("9007199254740993")'),
        ('Number.parseInt("9007199254740993", 10)', 'BigInt("9007199254740993")'),
        ('parseFloat("9007199254740993")', 'BigInt("9007199254740993")'),
        ("Number(9007199254740993n)", "9007199254740993n"),
    ],
)
async def test_a_number_that_stands_for_another_one_is_not_sent(read: str, exact: str) -> None:
    found = await ran(CALL % read)
    assert "TypeError: tools.t.org.main.t.hello: the argument holds " in found.value
    assert f"rounded: give {exact}, or the text" in found.value
    assert found.calls == []
    told = [line for line in found.logs if "numbers are exact up to 2^53 - 1" in line]
    assert len(told) == (0 if "3n" in read else 1)


@pytest.mark.parametrize(
    ("value", "noted"),
    [
        ("+'9007199254740993'", True),
        ("2 ** 53 + 2", True),
        ("[{deep: 2 ** 60}]", True),
        ("1e18", False),
        ("Date.UTC(2026, 0, 1) * 1e6", False),
        ("Number('9007199254740992')", True),
        ("9007199254740991", False),
        ("'9007199254740993'", False),
        ("9007199254740993", False),
        ("0.1 + 0.2", False),
    ],
)
async def test_numbers_beyond_2_53_are_sent_with_a_note(value: str, noted: bool) -> None:
    found = await ran(CALL % value)
    assert found.value is True
    assert len(found.calls) == 1
    assert [line.partition(":")[0] for line in found.logs] == (["tools.t.org.main.t.hello"] if noted else [])


LOST: list[tuple[str, Any]] = [
    ("NaN", "NaN"),
    ("-Infinity", "-Infinity"),
    ("{deep: [0 / 0]}", "NaN"),
    ("new Date('x')", "an invalid Date"),
]


@pytest.mark.parametrize(("value", "shown"), LOST)
async def test_what_json_has_no_value_for_is_not_sent_and_told_in_results(value: str, shown: str) -> None:
    found = await ran(CALL % value)
    assert (
        f"TypeError: tools.t.org.main.t.hello: the argument holds {shown}, which JSON has no value for"
        in found.value
    )
    assert found.calls == []
    found = await ran(f"return {{v: {value}}}")
    assert found.logs == [f"The result holds {shown}, which JSON has no value for: it is null there."]
    found = await ran(f"emit({{v: {value}}})")
    assert found.logs == [f"What was emitted holds {shown}, which JSON has no value for: it is null there."]


async def test_null_itself_and_bytes_are_no_loss() -> None:
    found = await ran(CALL % "[null, undefined, new Uint8Array([1, 2])]")
    assert (found.value, found.logs) == (True, [])
    assert found.calls[0]["id"][2]["_tag"] == "ToolFile"


@pytest.mark.parametrize("code", ["throw null", "await Promise.reject(null)", "throw  null;"])
async def test_null_that_the_code_throws_is_no_lack_of_memory(code: str) -> None:
    assert (await ran(code)).value == "Error: null"
