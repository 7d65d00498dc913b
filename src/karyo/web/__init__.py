"""The HTTP API, its page and the server: over inference/ and imaging/, no torch at import."""
