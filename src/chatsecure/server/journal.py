"""The server's log: a JSON object a line on standard error. Never content, never a secret."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One object a record; what was given as `extra` becomes keys."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        fields = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        fields |= {key: value for key, value in vars(record).items() if key not in _OWN}
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False, default=str)


class LineFormatter(logging.Formatter):
    """For people at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter`."""
        fields = " ".join(
            f"{key}={value}" for key, value in vars(record).items() if key not in _OWN
        )
        text = (
            f"{datetime.now(UTC).astimezone():%H:%M:%S}  {record.getMessage()}  {fields}".rstrip()
        )
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


def set_up(stream: TextIO | None = None, *, people: bool = False) -> logging.Handler:
    """Log the server's doings to a stream."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LineFormatter() if people else JsonFormatter())
    logger = logging.getLogger("chatsecure.server")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    return handler


def tear_down(handler: logging.Handler) -> None:
    """The server is done."""
    logging.getLogger("chatsecure.server").removeHandler(handler)
