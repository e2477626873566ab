"""Messages of links into a conversation: what its members deposit, what a newcomer fetches.

A link's secret never passes here: the server has its id, and keys sealed under the secret.
"""

from typing import Annotated

from msgspec import Meta

from .fields import Count, Id, LogKind, Message, Payload, Time


class LinkUpload(Message, frozen=True):
    """A link that lets its holder fetch the sealed GroupInfo and append one JOIN entry."""

    link_id: Id
    uses: Count
    """0: any number."""
    expires_at: Time
    """0: never."""
    sealed_key: Annotated[bytes, Meta(max_length=256)]
    """The key of the sealed GroupInfo, sealed under the link's secret."""


class LinkKey(Message, frozen=True):
    """The refreshed GroupInfo's key, sealed for one existing link."""

    link_id: Id
    sealed_key: Annotated[bytes, Meta(max_length=256)]


class GroupInfoUpload(Message, frozen=True):
    """The GroupInfo of the epoch a commit leads to, sealed once under a fresh key."""

    sealed: Payload
    keys: Annotated[list[LinkKey], Meta(max_length=64)]
    """That key, sealed for each link that stays open. Links not named here are dropped."""
    new_links: Annotated[list[LinkUpload], Meta(max_length=8)] = []


class LookupLinks(Message, frozen=True):
    """Ask which of these links are open; answered by `Links`."""

    link_ids: Annotated[list[Id], Meta(min_length=1, max_length=8)]


class LinkInfo(Message, frozen=True):
    """An open link and what its holder needs to come in."""

    link_id: Id
    log_id: Id
    kind: LogKind
    epoch: Count
    head: Count
    sealed_key: bytes
    sealed_group_info: bytes


class Links(Message, frozen=True):
    """Answer to `LookupLinks`: only those that are open."""

    links: list[LinkInfo]
