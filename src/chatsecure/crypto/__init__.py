"""Identities, sealing and files: thin uses of the `cryptography` package, no primitive of our own."""
