"""The entry: parse, run one command, turn whatever it raises into one line and an exit code.

`chatsecure --help` must stay quick (cron and shell loops feel it), so nothing is imported here
that a command may not need.
"""

import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from importlib import import_module

from chatsecure.wire.errors import ChatSecureError, Usage

from .output import ClosedPipe, Options, Output, open_missing, silence_stdout, use_utf8

INTERRUPTED = 130

OTHER_PARTS = ("demo", "gui", "tui", "bot")
"""Handlers of these stand beside `cli`, not in it."""

Handler = Callable[[Namespace, Output], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line; gives the exit code."""
    open_missing()
    use_utf8()
    arguments = list(sys.argv[1:] if argv is None else argv)
    # Until they are parsed, errors must be told the way they ask for.
    said = arguments[: arguments.index("--")] if "--" in arguments else arguments
    loud = said.count("-v") + said.count("--verbose") + 2 * said.count("-vv")
    output = Output(Options(json="--json" in said, verbose=loud))
    try:
        return _told(arguments, output)
    except (ClosedPipe, BrokenPipeError):
        silence_stdout()
        return 0
    except KeyboardInterrupt:
        return INTERRUPTED


def _told(arguments: list[str], output: Output) -> int:
    """Run it; errors become a line and a code."""
    try:
        return _run(arguments)
    except SystemExit as done:
        # argparse ends like this after --help and --version.
        sys.stdout.flush()
        return int(done.code or 0)
    except ChatSecureError as error:
        output.error(explain(error), error.exit_code, english=english(error))
        _trace(output)
        return error.exit_code
    except (ClosedPipe, BrokenPipeError, KeyboardInterrupt):
        raise
    except OSError as error:
        about = f": {error.filename}" if error.filename else ""
        output.error(f"{error.strerror or error}{about}", 1)
        _trace(output)
        return 1
    except Exception as error:  # noqa: BLE001 - the last place that can say it in one line
        output.error(f"internal error: {type(error).__name__}: {error}; please report it", 1)
        _trace(output)
        return 1


def explain(error: ChatSecureError) -> str:
    """What is wrong; what to do. Made harmless: it may quote what others wrote."""
    from chatsecure.client.display import harmless
    from chatsecure.words import told

    return harmless(told(error), lines=False)


def english(error: ChatSecureError) -> str:
    """As `explain`, for scripts: the same in every language."""
    from chatsecure.client.display import harmless

    return harmless(f"{error}; {error.hint}" if error.hint else str(error), lines=False)


def _trace(output: Output) -> None:
    if output.options.verbose > 1:
        import traceback

        traceback.print_exc()


def _run(arguments: list[str]) -> int:
    from .parser import build

    parser = build()
    if not arguments:
        parser.print_help()
        return 0
    namespace = parser.parse_args(arguments)
    if namespace.command == "help":
        parser.parse_args([*namespace.topic, "--help"])
    if not namespace.handler:
        command = namespace.command
        what = f"{command} does what?" if command else "which command?"
        raise Usage(what, hint=" ".join(filter(None, ("chatsecure", command, "--help lists them"))))
    module, _, function = namespace.handler.partition(":")
    where = "chatsecure" if module.partition(".")[0] in OTHER_PARTS else "chatsecure.cli"
    handler: Handler = getattr(import_module(f"{where}.{module}"), function)
    return handler(namespace, Output(options(namespace)))


def options(namespace: Namespace) -> Options:
    """The options every command knows, with their defaults."""

    def get(name: str) -> object:
        return getattr(namespace, name, None)

    return Options(
        profile=getattr(namespace, "profile", None),
        json=bool(get("json")),
        plain=bool(get("plain")),
        no_input=bool(get("no_input")),
        quiet=bool(get("quiet")),
        verbose=getattr(namespace, "verbose", 0),
        passphrase_file=getattr(namespace, "passphrase_file", None),
    )


if __name__ == "__main__":
    sys.exit(main())
