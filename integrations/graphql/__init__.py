"""GraphQL endpoints: so far only what a config may say about them."""
