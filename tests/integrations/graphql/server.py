"""A real GraphQL server for tests: graphql-core executes, `tests.integrations.echo` speaks HTTP.

The schema has what makes schemas hard: interfaces, unions, both kinds of connections, payloads, cycles,
recursive and one-of inputs, custom scalars, arguments called `select`, fields that JavaScript would trip over.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from graphql import GraphQLSchema, build_schema, graphql_sync, introspection_from_schema

from integrations.base import InvalidArguments, JsonObject
from integrations.graphql.operations import NamedOperation
from integrations.graphql.schema import GraphQlSchema, read_schema
from integrations.graphql.toolset import GraphQlToolset, make_toolset
from tests.integrations.echo import Echo, Reply, Seen, echo_server

SDL = """
directive @mark(level: Int!) on FIELD
scalar DateTime @specifiedBy(url: "https://scalars.example.com/date-time")
"Any JSON at all."
scalar JSON
enum Role { ADMIN MEMBER OLD @deprecated(reason: "gone") }
interface Node { id: ID! }
interface Actor { id: ID! login: String! query: Query }
type User implements Node & Actor {
  id: ID!
  login: String!
  "Shown name"
  name: String
  bio: String
  role: Role!
  age: Int
  score: Float
  createdAt: DateTime!
  meta: JSON
  secret: String @deprecated(reason: "never again")
  avatar(size: Int!): String
  picture(size: Int = 40): String
  manager: User
  team: Team
  posts(first: Int, after: String, filter: PostFilter): PostConnection!
  followers(limit: Int): [User!]!
  query: Query
}
type Bot implements Node & Actor { id: ID! login: String! bio: Int query: Query }
type Team { id: ID! name: String! lead: User members(first: Int!): [User!]! roots: Query }
type Post implements Node {
  id: ID! title: String! body: String author: Actor! tags: [String!]!
  hidden(why: String!): Team
}
type PostConnection { nodes: [Post] edges: [PostEdge] pageInfo: PageInfo! totalCount: Int! }
type PostEdge { node: Post cursor: String! }
type PageInfo { hasNextPage: Boolean! endCursor: String }
type UserConnection { edges: [UserEdge!] pageInfo: PageInfo! }
type UserEdge { node: User! cursor: String! }
type Empty { deep(x: Int!): Empty again: Empty }
union Found = User | Bot | Team | Post
input PostFilter { text: String tags: [String!] and: [PostFilter!] not: PostFilter role: Role = ADMIN }
input NewUser { login: String! role: Role = MEMBER teamId: ID extra: JSON }
input Key @oneOf { id: ID login: String }
type CreateUserPayload { clientMutationId: String user: User errors: [UserError!]! query: Query }
type UserError { field: [String!] message: String! }
type Query {
  "The signed-in user.\\nMay be null."
  me: User
  user(id: ID!, at: DateTime): User
  userBy(key: Key!): User
  users(first: Int = 10, role: Role, roles: [Role!]): UserConnection!
  posts(first: Int, filter: PostFilter): PostConnection!
  search(text: String!): [Found!]!
  node(id: ID!): Node
  actor: Actor
  empty: Empty
  version: String!
  echo(select: String, ratio: Float, on: Boolean, big: JSON): String
  choose(select: Int!): User
  then: String
  then_: String
  broken: User
  old: String @deprecated(reason: "use version")
}
type Mutation {
  createUser(input: NewUser!): CreateUserPayload
  setRole(id: ID!, role: Role): User
  deleteAll: Boolean!
  partly: CreateUserPayload
}
type Subscription { ticks: Int }
"""


@cache
def executable() -> GraphQLSchema:
    return build_schema(SDL)


@cache
def introspection() -> JsonObject:
    return dict(introspection_from_schema(executable()))


@cache
def schema() -> GraphQlSchema:
    return read_schema(introspection()["__schema"], "test")


def toolset(*operations: NamedOperation, **options: Any) -> GraphQlToolset:
    return make_toolset(schema(), "key", "test", operations, **options)


def reasons(error: InvalidArguments) -> dict[str, str]:
    """Pointer -> reason."""
    return {problem.pointer: problem.reason for problem in error.problems}


def user(identifier: str = "1") -> JsonObject:
    return {
        "__typename": "User", "id": identifier, "login": f"u{identifier}", "name": None, "role": "ADMIN",
        "createdAt": "2026-01-02T03:04:05Z", "meta": {"a": [1]}, "score": 0.5, "age": 7,
        "posts": {"totalCount": 0, "nodes": [], "pageInfo": {"hasNextPage": False}}, "followers": [],
    }  # fmt: skip


@dataclass
class Calls:
    """What the resolvers were asked, in order: (root field, arguments)."""

    made: list[tuple[str, JsonObject]]


class Root:
    """Resolvers of both root types. graphql-core calls these with (info, **arguments)."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def _note(self, name: str, arguments: JsonObject) -> None:
        self._calls.made.append((name, arguments))

    def me(self, info: Any, **given: Any) -> Any:
        self._note("me", given)
        return user()

    def user(self, info: Any, **given: Any) -> Any:
        self._note("user", given)
        return user(given["id"])

    def users(self, info: Any, **given: Any) -> Any:
        self._note("users", given)
        return {"edges": [{"node": user("5"), "cursor": "c"}], "pageInfo": {"hasNextPage": False}}

    def echo(self, info: Any, **given: Any) -> Any:
        self._note("echo", given)
        return json.dumps(given)

    def search(self, info: Any, **given: Any) -> Any:
        self._note("search", given)
        return [user("9"), {"__typename": "Bot", "id": "b", "login": "bot", "bio": 3}]

    def version(self, info: Any) -> str:
        return "1"

    def broken(self, info: Any) -> Any:
        raise RuntimeError("the database is away")

    def partly(self, info: Any) -> Any:
        return {"clientMutationId": "c", "errors": [{"field": None, "message": None}], "user": user()}

    def createUser(self, info: Any, **given: Any) -> Any:
        self._note("createUser", given)
        return {"user": user("2"), "errors": []}

    def setRole(self, info: Any, **given: Any) -> Any:
        self._note("setRole", given)
        return user(given["id"])

    def deleteAll(self, info: Any) -> Any:
        self._note("deleteAll", {})
        return True


@dataclass
class Served:
    """`url` is the endpoint; `echo.log` has every request."""

    url: str
    echo: Echo
    calls: Calls


@asynccontextmanager
async def graphql_server(served: GraphQLSchema | None = None) -> AsyncIterator[Served]:
    calls = Calls([])

    def answer(seen: Seen) -> Reply:
        asked = json.loads(seen.body)
        result = graphql_sync(
            served or executable(), asked["query"], Root(calls),
            variable_values=asked.get("variables"), operation_name=asked.get("operationName"),
        )  # fmt: skip
        status = 400 if result.data is None and result.errors and result.errors[0].path is None else 200
        content = json.dumps(result.formatted).encode()
        return Reply(status, [("Content-Type", "application/graphql-response+json; charset=utf-8")], content)

    async with echo_server() as echo:
        echo.answer = answer
        yield Served(f"{echo.url}/graphql", echo, calls)
