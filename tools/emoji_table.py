"""Makes `client/emoji.txt` from the `emoji.json` of the emoji-data project (MIT licence).

    python tools/emoji_table.py path/to/emoji.json

One line per emoji in Unicode's order: the sign, then its short names; `= ` begins a group.
"""

import json
import sys
from pathlib import Path

GROUPS = {
    "Smileys & Emotion": "smileys", "People & Body": "people", "Animals & Nature": "nature",
    "Food & Drink": "food", "Activities": "activities", "Travel & Places": "travel",
    "Objects": "objects", "Symbols": "symbols", "Flags": "flags",
}  # fmt: skip
OUT = Path(__file__).parent.parent / "src" / "chatsecure" / "client" / "emoji.txt"


def main(source: str) -> None:
    """Write the table."""
    found = json.loads(Path(source).read_text(encoding="utf-8"))
    lines = []
    for category, group in GROUPS.items():
        lines.append(f"= {group}")
        members = (one for one in found if one["category"] == category)
        for one in sorted(members, key=lambda one: one["sort_order"]):
            sign = "".join(chr(int(code, 16)) for code in one["unified"].split("-"))
            lines.append(" ".join((sign, *one["short_names"])))
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
