"""Every command of `chatsecure`: its arguments and its help, one module a group.

Loads argparse and nothing else: a command loads what it needs when it runs.
"""

from . import other, people, rooms, server, talk

COMMANDS = (
    *server.COMMANDS,
    *people.COMMANDS,
    *talk.COMMANDS,
    *rooms.COMMANDS,
    *other.COMMANDS,
)
"""In the order of the help."""
