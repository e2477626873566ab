"""Avatars with a dot of presence, as the lists show them."""

import tkinter as tk

from .theme import Theme


def avatar(theme: Theme, who: str, size: int, dot: str = "", ground: str = "side") -> tk.PhotoImage:
    """A person's initials on a disc, or a room's sign.

    Args:
        who: `#room`, `@name` or a name.
        size: in pixels at scale 1.
        dot: `online`, `away`, `offline`; or none.
    """
    return theme.avatar(
        who, size, room=who.startswith("#"), dot=dot or None, ground=ground
    )
