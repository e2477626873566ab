"""ChatSecure: self-hosted, end-to-end encrypted chat over raw TCP sockets."""

__version__ = "0.1.0"
