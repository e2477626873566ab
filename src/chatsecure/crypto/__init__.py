"""Identities, sealing and files: thin uses of `cryptography`, no primitive of our own."""
