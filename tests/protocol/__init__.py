"""The protocol as described in `docs/protocol.md`, held against the code."""
