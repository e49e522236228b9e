"""The composition root: the only place that knows every part. Importing this package imports none of them."""
