// A GraphQL server that is not ours: graphql-yoga, from the directory given as the first argument.
const { createRequire } = require("node:module");
const { createServer } = require("node:http");
const { join } = require("node:path");
const load = createRequire(join(process.argv[2], "package.json"));
const { createSchema, createYoga } = load("graphql-yoga");

const books = [{ __typename: "Book", id: "1", title: "Emma", pages: 474, author: { id: "7", name: "Jane" } }];
const schema = createSchema({
  typeDefs: `
    interface Item { id: ID! title: String! }
    type Author { id: ID! name: String! books: [Book!]! fails(now: Boolean!): String }
    type Book implements Item { id: ID! title: String! pages: Int author: Author! }
    input NewBook { title: String! pages: Int = 100 }
    type AddBookPayload { book: Book errors: [String!]! }
    type Query { books(minPages: Int = 0): [Book!]! item(id: ID!): Item author: Author }
    type Mutation { addBook(input: NewBook!): AddBookPayload! }
  `,
  resolvers: {
    Query: {
      books: (_, { minPages }) => books.filter((book) => book.pages >= minPages),
      item: (_, { id }) => books.find((book) => book.id === id) ?? null,
      author: (_, __, context) => ({ id: "7", name: context.request.headers.get("authorization") ?? "nobody" }),
    },
    Author: {
      books: () => books,
      fails: () => { throw new Error("always"); },
    },
    Mutation: {
      addBook: (_, { input }) => {
        const book = { __typename: "Book", id: String(books.length + 1), author: { id: "7", name: "Jane" }, ...input };
        books.push(book);
        return { book, errors: [] };
      },
    },
  },
});
const server = createServer(createYoga({ schema, logging: false }));
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
process.stdin.on("end", () => process.exit(0)).resume();
