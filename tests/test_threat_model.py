"""Each test that the documents name as the proof of a promise exists and is run."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
DOCUMENTS = sorted((ROOT / "docs").rglob("*.md"))
NAMED = sorted(
    {
        named
        for document in DOCUMENTS
        for named in re.findall(r"`(tests/[^`]+\.py[^`]*)`", document.read_text(encoding="utf-8"))
    }
)
NEVER_RUN = ("skip", "xfail")


def functions(path: Path) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    """The tests of a file, by name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name: node for node in found if node.name.startswith("test_")}


def test_every_test_that_a_document_names_exists() -> None:
    missing = []
    for named in NAMED:
        file, _, test = named.partition("::")
        path = ROOT / file
        if not path.is_file() or (test and test not in functions(path)):
            missing.append(named)
    assert missing == []
    assert len(NAMED) > 60


def test_no_test_that_a_document_names_is_left_out_for_good() -> None:
    for named in NAMED:
        file, _, test = named.partition("::")
        chosen = functions(ROOT / file)
        for node in [chosen[test]] if test else chosen.values():
            marks = [ast.unparse(mark) for mark in node.decorator_list]
            left_out = [
                mark for mark in marks for word in NEVER_RUN if re.search(rf"mark\.{word}\b", mark)
            ]
            assert not left_out, f"{named}: {left_out}"


def test_every_promise_of_the_threat_model_names_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not re.match(r"\| (Adversary|The server) \|", row)]
    assert len(promises) > 25
    assert [row for row in promises if "`tests/" not in row.rsplit(" | ", 1)[1]] == []
