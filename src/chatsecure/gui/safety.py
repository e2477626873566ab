"""Comparing safety numbers: the digits in large groups, their QR code, and what it is good for."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING

from chatsecure.client.lines import Verification

from . import shown
from .dialogs import Dialog
from .theme import Theme
from .wording import _

if TYPE_CHECKING:
    from .window import Window


def qr_image(master: tk.Misc, theme: Theme, text: str) -> tk.PhotoImage:
    """A QR code, dark on light in every palette: a camera must read it."""
    import segno

    code = segno.make(text, error="l" if len(text) > 80 else "m", micro=False)
    rows = [list(row) for row in code.matrix_iter(scale=max(2, theme.px(4)), border=4)]
    image = tk.PhotoImage(master=master, width=len(rows[0]), height=len(rows))
    data = " ".join(
        "{" + " ".join("#000000" if cell else "#ffffff" for cell in row) + "}" for row in rows
    )
    image.put(data)
    return image


def show_safety(window: Window, user: str) -> None:
    """Show the number that we and a user compare."""
    session = window.session
    session.bridge.call(lambda: session.client.verify(user), lambda found: _show(window, found))


def _show(window: Window, found: Verification) -> None:
    theme, session = window.theme, window.session
    name = shown.name(found.user)
    dialog = Dialog(window.root, theme, _("Compare with {name}").format(name=name))
    dialog.heading(_("Compare with {name}").format(name=name))
    if found.changed:
        dialog.say(
            _("The identity of {name} has changed. This is the number of the new one.").format(
                name=name
            )
        )
    dialog.say(
        _("Read it to each other on the phone or face to face, or hold the codes side by side. If "
          "it is the same on both sides, nobody is in between: not even the server can read what "
          "you two write.")
    )  # fmt: skip
    both = ttk.Frame(dialog.body)
    both.pack(anchor="w", pady=theme.px(8))
    digits = "".join(found.safety_number.split())
    image = qr_image(dialog, theme, digits)
    label = tk.Label(both, image=image, bd=0)
    label.image = image  # type: ignore[attr-defined] # Tk keeps no reference
    label.pack(side="left", padx=(0, theme.px(20)))
    groups = found.safety_number.split()
    lines = "\n".join("  ".join(groups[at : at + 3]) for at in range(0, len(groups), 3))
    number = tk.Text(
        both, width=21, height=4, bd=0, highlightthickness=0, font=theme.font("mono"),
        background=theme.color("window"), foreground=theme.color("text"), spacing3=theme.px(6),
    )  # fmt: skip
    number.insert("1.0", lines)
    number.configure(state="disabled")
    number.pack(side="left")
    dialog.say(
        _("Fingerprint of {name}: {fingerprint}").format(name=name, fingerprint=found.fingerprint),
        dim=True,
    )
    state = _("You have compared it.") if found.verified and not found.changed else ""
    if state:
        dialog.say(state)

    def mark() -> None:
        dialog.destroy()
        session.bridge.call(
            lambda: session.client.mark_verified(found.user),
            lambda _done: window.refresh_rooms(),
        )

    # Return closes: nobody should mark what they have not compared by a slip.
    dialog.button(_("Close"), dialog.destroy, agree=True)
    dialog.button(_("It is the same"), mark)
    dialog.button(_("It differs"), lambda: _differs(window, dialog, name), danger=True)
    dialog.open()


def _differs(window: Window, dialog: Dialog, name: str) -> None:
    dialog.destroy()
    window.notes.say(
        _("Do not trust this connection to {name}: write nothing secret there, and ask {name} on "
          "another way whether it is their device.").format(name=name),
        wrong=True,
    )  # fmt: skip
