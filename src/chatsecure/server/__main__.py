"""`python -m chatsecure.server`: the server alone, without the rest of the command line."""

import argparse
import sys
from pathlib import Path

from chatsecure.wire.errors import ChatSecureError

from .run import DEFAULT_LISTEN, ENGINES, ServeOptions, serve


def main() -> int:
    """Parse, serve, and say in one line what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m chatsecure.server")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT")
    parser.add_argument("--engine", choices=ENGINES, default=ENGINES[0])
    parser.add_argument("--public-address", metavar="HOST:PORT")
    parser.add_argument("--retention", type=int, metavar="DAYS")
    parser.add_argument("--metrics", metavar="HOST:PORT")
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        limits = {
            name: int(value) for name, _, value in (item.partition("=") for item in args.limit)
        }
        return serve(
            ServeOptions(
                args.data, args.listen, args.engine, args.public_address, args.retention,
                args.metrics, limits=limits, json=args.json,
            )
        )  # fmt: skip
    except ChatSecureError as error:
        hint = f"; {error.hint}" if error.hint else ""
        sys.stderr.write(f"chatsecure: {error}{hint}\n")
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
