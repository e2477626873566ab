"""The terminal client: a full screen on the client core, for a terminal, SSH and tmux.

A face: it calls `client` and shows its events, and holds no chat logic. Nothing here is loaded
before `chatsecure tui` runs.
"""
