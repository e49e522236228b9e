"""HTTP as ASGI: requests, replies, the server, and what is refused before anybody looks at a body."""
