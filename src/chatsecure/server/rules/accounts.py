"""Accounts: registration, log-in, tokens, users and their KeyPackages."""

from collections.abc import Container
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice

from chatsecure.crypto.certificates import (
    check_device,
    check_device_list,
    check_identity,
    check_sealing,
    verify_login,
)
from chatsecure.crypto.errors import CryptoError
from chatsecure.links import token_hash
from chatsecure.names import BadName, check_name, fold_name, nearest
from chatsecure.server.limits import ServerLimits
from chatsecure.server.store.base import (
    INBOX_KIND,
    DeviceKey,
    DeviceRow,
    TokenRow,
    Tx,
    UserKey,
    UserRow,
)
from chatsecure.wire import messages as m
from chatsecure.wire.chain import chain_start
from chatsecure.wire.errors import ErrorCode, Refused
from chatsecure.wire.frames import MAX_FRAME_BYTES

from .who import Who, no_user

USERS_A_PAGE = 500
NAMES_TO_GUESS = 1_000
DAY_MS = 86_400_000
_NO_USER, _NO_DEVICE = UserKey(0), DeviceKey(0)


@dataclass(frozen=True, slots=True)
class Welcome:
    """A log-in that succeeded."""

    who: Who
    reply: m.LoggedIn
    new: bool = False
    generation: int = 0
    """Of the device's profile, as it was before this log-in."""


def _welcome(tx: Tx, user: UserRow, device: DeviceRow, *, new: bool = False) -> Welcome:
    who = Who(user.key, device.key, device.device_id, user.name, user.folded, user.role)
    left = tx.key_packages_left(device.key)
    reply = m.LoggedIn(user.name, user.role, left, tx.lobby(), device.mark)
    return Welcome(who, reply, new, device.generation)


# --- registration ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Applicant:
    """A registration whose certificates and signature are in order."""

    user: UserRow
    device: DeviceRow
    counter: int
    token_hash: bytes


def check_applicant(message: m.Register, context: bytes, now: int) -> Applicant:
    """Check what a registration brings, as far as no database is needed.

    Args:
        context: what the device key must have signed.

    Raises:
        Refused: and why.
    """
    try:
        name = check_name(message.name)
    except BadName as error:
        raise Refused(ErrorCode.BAD_NAME, str(error)) from None
    if name != message.name:
        raise Refused(ErrorCode.BAD_NAME, f"the name must be written {name}")
    at = datetime.fromtimestamp(now / 1000, UTC)
    try:
        identity = check_identity(message.identity_certificate, at)
        check_sealing(message.sealing_certificate, identity, at)
        device = check_device(message.device_certificate, identity, at)
        devices = check_device_list(
            message.device_list.body, message.device_list.signature, identity
        )
    except CryptoError as error:
        raise Refused(ErrorCode.BAD_CERTIFICATE, str(error)) from None
    if identity.name != name:
        raise Refused(ErrorCode.BAD_CERTIFICATE, "the certificates are for another name")
    if list(devices.devices) != [device.device_id]:
        raise Refused(ErrorCode.BAD_CERTIFICATE, "the device list is not that of this device")
    try:
        verify_login(device.public_key, context, message.signature)
    except CryptoError as error:
        raise Refused(ErrorCode.BAD_LOGIN, str(error)) from None
    user = UserRow(
        _NO_USER, name, fold_name(name), message.identity_certificate,
        message.sealing_certificate, message.device_list.body, message.device_list.signature,
        identity.fingerprint, m.Role.MEMBER, now,
    )  # fmt: skip
    row = DeviceRow(
        _NO_DEVICE, _NO_USER, device.device_id, message.device_certificate, device.public_key, 0
    )
    return Applicant(user, row, devices.counter, token_hash(message.token))


def register(tx: Tx, applicant: Applicant, now: int, limits: ServerLimits) -> Welcome:
    """Make an account, or recognise the same one whose answer was lost."""
    user, device = applicant.user, applicant.device
    known = tx.device(device.device_id)
    if known is not None:
        owner = tx.user(known.user)
        if owner is None or (owner.identity, known.certificate) != (
            user.identity, device.certificate,
        ):  # fmt: skip
            raise Refused(ErrorCode.BAD_LOGIN, "this device belongs to another registration")
        return _welcome(tx, owner, known)
    token = _check_token(tx.token(applicant.token_hash), now)
    if tx.user_by_name(user.folded) is not None:
        free = " or ".join(_free_names(tx, user.name))
        raise Refused(ErrorCode.NAME_TAKEN, f"the name {user.name} is taken; {free} would be free")
    if tx.identity_known(user.fingerprint):
        raise Refused(ErrorCode.BAD_CERTIFICATE, "this identity key has another name already")
    if tx.user_count() >= limits.users:
        raise Refused(ErrorCode.TOO_MANY, "this server takes no more users")
    if tx.log(device.device_id) is not None:
        raise Refused(ErrorCode.BAD_CERTIFICATE, "this device's id is in use")
    tx.use_token(applicant.token_hash)
    role = m.Role.OWNER if token.owner and not tx.has_owner() else m.Role.MEMBER
    user = UserRow(
        _NO_USER, user.name, user.folded, user.identity, user.sealing, user.list_body,
        user.list_signature, user.fingerprint, role, now,
    )  # fmt: skip
    key = tx.add_user(user, applicant.counter)
    device_key = tx.add_device(
        DeviceRow(_NO_DEVICE, key, device.device_id, device.certificate, device.public_key, 0)
    )
    inbox = tx.add_log(device.device_id, INBOX_KIND, device_key, None, now)
    tx.enter(inbox.key, device_key, 0, chain_start(device.device_id))
    who = Who(key, device_key, device.device_id, user.name, user.folded, role)
    return Welcome(who, m.LoggedIn(user.name, role, 0, tx.lobby()), new=True)


def _check_token(token: TokenRow | None, now: int) -> TokenRow:
    if token is None:
        raise Refused(ErrorCode.BAD_TOKEN, "this invitation is not known on this server")
    if token.uses_left <= 0:
        raise Refused(ErrorCode.BAD_TOKEN, "this invitation is used up; ask for a new one")
    if token.expires_at <= now:
        raise Refused(ErrorCode.BAD_TOKEN, "this invitation has expired; ask for a new one")
    return token


def _free_names(tx: Tx, name: str) -> list[str]:
    candidates = (f"{name[:28]}{number}" for number in count(2))
    return list(islice((c for c in candidates if tx.user_by_name(fold_name(c)) is None), 2))


# --- log-in ------------------------------------------------------------------------------------


def login(tx: Tx, message: m.Login, context: bytes) -> Welcome:
    """A device proves its key. Reads only."""
    device = tx.device(message.device_id)
    user = None if device is None else tx.user(device.user)
    if device is None or user is None:
        raise Refused(ErrorCode.BAD_LOGIN, "this device is not registered on this server")
    try:
        verify_login(device.public_key, context, message.signature)
    except CryptoError as error:
        raise Refused(ErrorCode.BAD_LOGIN, str(error)) from None
    if message.generation < device.generation:
        raise moved(device.generation)
    return _welcome(tx, user, device)


def moved(generation: int) -> Refused:
    """This copy of a profile is not the one in use any more."""
    return Refused(
        ErrorCode.MOVED,
        "this copy of the profile is out of use: another copy of it has taken over",
        generation.to_bytes(8, "big"),
    )


def take_over(tx: Tx, device: DeviceKey, generation: int) -> None:
    """A copy of a device's profile goes on alone."""
    tx.set_generation(device, generation)


# --- tokens ------------------------------------------------------------------------------------


def put_token(tx: Tx, who: Who, message: m.PutToken, now: int, limits: ServerLimits) -> m.Ok:
    """Let others register with a token."""
    if tx.token(message.token_hash) is not None:
        return m.Ok()
    if not 1 <= message.uses <= limits.token_uses:
        raise Refused(ErrorCode.TOO_MANY, f"an invitation has 1 to {limits.token_uses} uses")
    last = now + limits.token_s * 1000
    expires_at = message.expires_at or last
    if expires_at <= now:
        raise Refused(ErrorCode.NOT_ALLOWED, "this invitation would have expired already")
    if expires_at > last + DAY_MS:
        days = limits.token_s * 1000 // DAY_MS
        raise Refused(ErrorCode.TOO_MANY, f"an invitation is valid for at most {days} days")
    if tx.tokens_of(who.user, now) >= limits.tokens_per_user:
        raise Refused(ErrorCode.TOO_MANY, "you have too many open invitations")
    tx.put_token(message.token_hash, TokenRow(message.uses, expires_at, False), who.user, now)
    return m.Ok()


def put_server_token(tx: Tx, hash_: bytes, uses: int, expires_at: int, now: int) -> None:
    """A token made by the operator."""
    tx.put_token(hash_, TokenRow(uses, expires_at, False), None, now)


def put_owner_token(tx: Tx, hash_: bytes, now: int) -> bool:
    """While there is no owner: the one owner token that is valid, for a day."""
    if tx.has_owner():
        return False
    tx.drop_owner_tokens()
    tx.put_token(hash_, TokenRow(1, now + DAY_MS, True), None, now)
    return True


# --- users -------------------------------------------------------------------------------------


def get_user(tx: Tx, name: str, online: Container[UserKey], devices: Container[bytes]) -> m.User:
    """One user's public part.

    Args:
        online: users whom others may see as online.
        devices: ids of connected devices.
    """
    user = tx.user_by_name(fold_name(name))
    if user is None:
        raise no_user(name, nearest(name, tx.names(NAMES_TO_GUESS)))
    infos = [
        m.DeviceInfo(
            row.device_id, row.certificate, 0 if row.device_id in devices else row.last_seen
        )
        for row in tx.devices(user.key)
    ]
    return m.User(
        user.name, user.identity, user.sealing, user.device_list, infos, user.key in online,
        user.role,
    )  # fmt: skip


def list_users(tx: Tx, after: str, online: Container[UserKey]) -> m.Users:
    """A page of the list of users."""
    rows = tx.users_after(fold_name(after) if after else "", USERS_A_PAGE + 1)
    briefs = [
        m.UserBrief(row.name, row.fingerprint, row.key in online, row.role)
        for row in rows[:USERS_A_PAGE]
    ]
    return m.Users(briefs, len(rows) > USERS_A_PAGE)


# --- KeyPackages -------------------------------------------------------------------------------


def put_key_packages(tx: Tx, who: Who, message: m.PutKeyPackages, limits: ServerLimits) -> m.Ok:
    """Publish KeyPackages of this device."""
    if message.replace:
        tx.drop_key_packages(who.device)
    for package in message.packages:
        tx.put_key_package(who.device, package.ref, package.data, package.last_resort)
    if tx.key_packages_left(who.device) > limits.key_packages:
        raise Refused(ErrorCode.TOO_MANY, f"a device keeps {limits.key_packages} KeyPackages here")
    return m.Ok()


def claim_key_packages(tx: Tx, who: Who, message: m.ClaimKeyPackages) -> m.KeyPackages:
    """Take a KeyPackage of each device of the named users (but of the asking one)."""
    claimed = []
    for folded, name in {fold_name(name): name for name in message.names}.items():
        user = tx.user_by_name(folded)
        if user is None:
            raise no_user(name)
        for device in tx.devices(user.key):
            if device.device_id == who.device_id:
                continue
            data = tx.take_key_package(device.key)
            if data is None:
                raise Refused(
                    ErrorCode.NO_KEY_PACKAGE,
                    f"{user.name} has not been online yet with a device of theirs",
                )
            claimed.append(m.ClaimedKeyPackage(user.name, device.device_id, data))
    if sum(len(package.data) + 256 for package in claimed) > MAX_FRAME_BYTES:
        raise Refused(ErrorCode.TOO_LARGE, "ask for the KeyPackages of fewer users at once")
    return m.KeyPackages(claimed)
