"""HTTP in: read the request, one use case, shape the answer."""
