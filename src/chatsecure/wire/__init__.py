"""The protocol between client and server: frames, typed messages, errors. Sans-I/O.

Nothing here opens a socket, reads a clock or imports another part of ChatSecure.
`docs/protocol.md` describes the same protocol in words.
"""
