"""This device's KeyPackages on the server: enough of them that others can add it while it is away.

They are made by `groups.py`, which keeps their private part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatsecure.wire import messages as m

from .flow import Ticket
from .groups import KEY_PACKAGES_WANTED

if TYPE_CHECKING:
    from .core import Core


def stock(core: Core, left: int) -> None:
    """Make and publish what is missing; within a transaction.

    Args:
        left: how many the server still has.
    """
    now = core.now()
    replace = bool(core.db.get("replace_key_packages"))
    if replace:
        # The server may have some of another copy, whose private part is not here.
        core.db.run("UPDATE key_packages SET uploaded = 1")
        left = 0
    if replace or not core.db.row("SELECT 1 FROM key_packages WHERE last_resort = 1"):
        core.groups.make_key_packages(1, last_resort=True, now=now)
    waiting = core.db.value(
        "SELECT count(*) FROM key_packages WHERE uploaded = 0 AND last_resort = 0"
    )
    if left + waiting < KEY_PACKAGES_WANTED // 2:
        missing = KEY_PACKAGES_WANTED - left - waiting
        core.groups.make_key_packages(missing, last_resort=False, now=now)
    rows = core.db.rows(
        "SELECT ref, data, last_resort FROM key_packages WHERE uploaded = 0 LIMIT 100"
    )
    if rows:
        uploads = [m.KeyPackageUpload(ref, data, bool(last)) for ref, data, last in rows]
        core.requests.internal(
            m.PutKeyPackages(uploads, replace), lambda ticket: _published(core, ticket)
        )


def _published(core: Core, ticket: Ticket) -> None:
    if ticket.error is None and isinstance(ticket.message, m.PutKeyPackages):
        with core.db.transaction():
            core.db.run_many(
                "UPDATE key_packages SET uploaded = 1 WHERE ref = ?",
                ((package.ref,) for package in ticket.message.packages),
            )
            if ticket.message.replace:
                core.db.put("replace_key_packages", 0)
