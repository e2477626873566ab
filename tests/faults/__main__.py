"""`python -m tests.faults WHAT …`: the long runs, from the repository's root.

    python -m tests.faults kills --cycles 300 [--engine threads] [--seed 1]
    python -m tests.faults network --cycles 300
    python -m tests.faults pause --seconds 60

Prints what came of it as JSON; exit code 1 where anything was lost, doubled, reordered or
unreadable.
"""

import argparse
import asyncio
import dataclasses
import json
import os
import signal
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ["CHATSECURE_KEYRING"] = "off"

from faults.people import folders, goes_to
from faults.proxy import Proxy
from faults.storm import Outcome, Storm, kills, pauses, troubles
from system.conftest import ENGINES, Server, World, start_server


def main() -> int:
    """Run one of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("what", choices=("kills", "network", "pause"))
    parser.add_argument("--cycles", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--engine", choices=ENGINES, default="events")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as scratch:
        server = start_server(Path(scratch) / "server", args.engine)
        try:
            World(server, Path(scratch)).invited("alice", "bob")
            outcome = asyncio.run(_run(args, server))
        finally:
            server.stop(signal.SIGKILL)
    told = dataclasses.asdict(outcome) | {"what": args.what, "engine": args.engine}
    print(json.dumps(told | {"clean": outcome.clean}))
    return 0 if outcome.clean else 1


async def _run(args: argparse.Namespace, server: Server) -> Outcome:
    storm = Storm(folders(server))
    match args.what:
        case "kills":
            return await storm.run(lambda storm: kills(server, storm, args.cycles, args.seed))
        case "pause":
            return await storm.run(lambda storm: pauses(server, storm, args.seconds))
        case _:
            with Proxy(0, server.port, args.seed) as proxy:
                for folder in folders(server):
                    goes_to(folder, proxy.port)
                return await storm.run(lambda storm: troubles(proxy, storm, args.cycles, args.seed))


if __name__ == "__main__":
    sys.exit(main())
