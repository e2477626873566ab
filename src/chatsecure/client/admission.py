"""What lets a newcomer into a group: sealed invitations, and the GroupInfo for holders of links.

Pure sealing: no state, nothing is sent. The server sees who gets something and how much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chatsecure import links
from chatsecure.crypto import sealing
from chatsecure.wire import messages as m

from .content import Invitation, encode_invitation
from .room import LinkState

if TYPE_CHECKING:
    from .flows_people import Newcomer

GROUP_INFO_PURPOSE = "group info"
GROUP_INFO_KEY_PURPOSE = "group info key"


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link about to be opened."""

    state: LinkState
    uses: int


def invitations(
    newcomers: Sequence[Newcomer], log_id: bytes, epoch: int, welcome: bytes
) -> list[m.InboxItem]:
    """The Welcome, sealed for each newcomer's user and device (design D7)."""
    body = encode_invitation(Invitation(log_id, epoch, welcome))
    return [
        m.InboxItem(
            newcomer.device_id,
            links.make_secret()[:16],
            sealing.seal(newcomer.person.sealing_key, body, newcomer.device_id),
        )
        for newcomer in newcomers
    ]


def seal_group_info(
    log_id: bytes, group_info: bytes, open_links: Sequence[LinkState], new: Sequence[NewLink]
) -> m.GroupInfoUpload:
    """A GroupInfo as the server keeps it: sealed once, its key sealed for each link."""
    key = links.make_secret()

    def sealed_key(link: LinkState) -> bytes:
        return sealing.seal_with_secret(link.secret, GROUP_INFO_KEY_PURPOSE, key, link.link_id)

    fresh = {link.state.link_id for link in new}
    return m.GroupInfoUpload(
        sealing.seal_with_secret(key, GROUP_INFO_PURPOSE, group_info, log_id),
        [
            m.LinkKey(link.link_id, sealed_key(link))
            for link in open_links
            if link.link_id not in fresh
        ],
        [
            m.LinkUpload(
                link.state.link_id, link.uses, link.state.expires_at, sealed_key(link.state)
            )
            for link in new
        ],
    )


def open_group_info(secret: bytes, info: m.LinkInfo) -> bytes:
    """The GroupInfo that a link's holder was given.

    Raises:
        CannotOpen: it is not sealed under this link's secret.
    """
    key = sealing.open_with_secret(secret, GROUP_INFO_KEY_PURPOSE, info.sealed_key, info.link_id)
    return sealing.open_with_secret(key, GROUP_INFO_PURPOSE, info.sealed_group_info, info.log_id)
