"""serve, and the operator's commands."""

from argparse import Namespace
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from chatsecure.wire.errors import Usage
from chatsecure.words import _, _n

from .durations import parse_duration
from .output import Output


def serve(args: Namespace, output: Output) -> int:
    """`chatsecure serve`."""
    from chatsecure.server.run import DEFAULT_LISTEN, ENGINES, ServeOptions
    from chatsecure.server.run import serve as run

    return run(
        ServeOptions(
            data=args.data,
            listen=args.listen or DEFAULT_LISTEN,
            engine=args.engine or ENGINES[0],
            public_address=args.public_address,
            retention_days=args.retention,
            metrics=args.metrics,
            announce=args.announce,
            limits=dict(map(_limit, args.limit or ())),
            json=output.json,
            plain=output.options.plain,
            quiet=output.options.quiet,
        )
    )


def _limit(text: str) -> tuple[str, int]:
    name, found, value = text.partition("=")
    if not found or not (value.isascii() and value.isdigit()):
        raise Usage(
            _("{text!r} is no limit").format(text=text),
            hint=_("write NAME=NUMBER; chatsecure admin limits"),
        )
    return name.strip().replace("-", "_"), int(value)


def admin(args: Namespace, output: Output) -> int:
    """`chatsecure admin`: asks the running server, or looks into its folder."""
    from chatsecure.server.admin import request

    data: Path | None = getattr(args, "data", None)
    if data is None:
        from chatsecure.server.run import default_data

        data = default_data()
    command = args.command_2
    asked: dict[str, Any] = {}
    if command in ("ban", "unban"):
        asked["name"] = args.name.removeprefix("@")
    elif command == "token":
        asked = {"uses": args.uses, "expires_s": parse_duration(args.expires)}
    elif command in ("backup", "restore"):
        asked["file"] = args.file
    _SHOW[command](request(data, command, **asked), output)
    return 0


def _users(answer: dict[str, Any], output: Output) -> None:
    if output.json:
        for user in answer["users"]:
            output.record(user)
        return
    from chatsecure.client.display import harmless_name

    output.table(
        (
            harmless_name(str(user["name"])),
            str(user["role"]),
            "online" if user["online"] else "offline",
            "1 device" if user["devices"] == 1 else f"{user['devices']} devices",
            "banned" if user["banned"] else "",
        )
        for user in answer["users"]
    )


def _token(answer: dict[str, Any], output: Output) -> None:
    if output.json:
        output.record(answer)
        return
    output.line(answer["link"])
    until = datetime.fromtimestamp(answer["expires_at"] / 1000, UTC).astimezone()
    uses = "1 use" if answer["uses"] == 1 else f"{answer['uses']} uses"
    output.notice(
        _("{uses}, until {until}; it lets others join the server").format(
            uses=uses, until=f"{until:%a %d %b %H:%M}"
        )
    )


def _limits(answer: dict[str, Any], output: Output) -> None:
    if output.json:
        for limit in answer["limits"]:
            output.record(limit)
        return
    output.table(
        (limit["name"], str(limit["value"]), limit.get("unit", ""), limit.get("reason", ""))
        for limit in answer["limits"]
    )


def _figures(answer: dict[str, Any], output: Output) -> None:
    if output.json:
        output.record(answer)
        return
    output.table((name.replace("_", " "), str(value)) for name, value in answer.items())


def _done(said: str) -> Callable[[dict[str, Any], Output], None]:
    """Shows what was done, in words that name what the server answered."""

    def show(answer: dict[str, Any], output: Output) -> None:
        if output.json:
            output.record(answer)
        else:
            output.notice(_(said).format(**answer))

    return show


_SHOW: dict[str, Callable[[dict[str, Any], Output], None]] = {
    "users": _users,
    "ban": _done(_n("{name} is shut out")),
    "unban": _done(_n("{name} may come in again")),
    "token": _token,
    "limits": _limits,
    "ping": _done(_n("the server runs")),
    "stats": _figures,
    "backup": _done(_n("everything is in {file}: {bytes} bytes, {blobs} files on their way")),
    "restore": _done(
        _n("everything is back from {file}: {bytes} bytes, {blobs} files on their way")
    ),
}
