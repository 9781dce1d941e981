"""Every task that lives as long as its process is a `KeptTask`: one that is not fails here.

A new `create_task` has to be looked at: either it is kept, or it ends with what it serves, and then whoever
waits for its end, or what looks at its failure, is named below.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("actors", "deployments", "storage", "observability")
STARTERS = frozenset(
    {"create_task", "ensure_future", "run_coroutine_threadsafe", "Thread", "Timer", "run_in_executor"}
)

SHORT_LIVED = {
    ("actors/arming.py", "start_due"): "one look; its health is counted in `_look`",
    ("actors/direct.py", "_asked"): "one question; answered, or its connection is cut",
    ("actors/door_line.py", "open"): "one attempt; the next question begins another",
    ("actors/feed.py", "_run"): "one incarnation; `_run` waits for the first that ends and raises its error",
    ("actors/feeds/link.py", "__init__"): "one socket; its link waits for the reader's end",
    ("actors/feeds/link.py", "_serve"): "one socket's successor; its link waits for it",
    ("actors/feeds/link.py", "_start_aside"): "one closing of a socket",
    ("actors/feeds/live.py", "_start_link"): "in a task group: an error ends the incarnation",
    ("actors/feeds/live.py", "run"): "in a task group: an error ends the incarnation",
    ("actors/feeds/requests.py", "run"): "in a task group: an error ends the incarnation",
    ("actors/lease.py", "renew"): "one look; every caller is told its error",
    ("actors/local_directory.py", "poll"): "one poll; its caller waits",
    ("actors/ray_directory.py", "_outstanding"): "one poll; its caller waits",
    ("actors/routes.py", "refresh"): "one question; every caller waits",
    ("actors/sender.py", "_lane"): "`_ended` makes an error the sender's failure, which ends the incarnation",
    ("actors/snapshotting.py", "start_due"): "one snapshot; its health is counted in `_failed`",
    ("actors/tenure.py", "begin"): "one restoring; its health is counted, and the supervisor orders it again",
    ("actors/tenure.py", "lose"): "one recovery; its health is counted in `_sit`",
    ("deployments/ws/endpoint.py", "_run"): "one socket; `_run` waits for the first that ends",
    ("deployments/ws/hub.py", "start"): "`_ended` counts its end and every socket connects again",
    ("deployments/ws/indicators.py", "_begin_again"): "one warm-up; whoever joins is told its error",
    ("deployments/ws/indicators.py", "begin"): "one warm-up; whoever joins is told its error",
    ("deployments/ws/service.py", "_tick"): "one round of questions; the next tick counts its failure",
    ("deployments/ws/session.py", "spawn"): "one resume; `_ended` closes the socket on an error",
}


def starts(path: Path) -> list[str]:
    """Names of the functions of a module that begin something which goes on without them."""
    found: list[str] = []

    def visit(node: ast.AST, function: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = child.name if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else function
            if isinstance(child, ast.Call):
                called = child.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                if name in STARTERS:
                    found.append(inner)
            visit(child, inner)

    visit(ast.parse(path.read_text()), "<module>")
    return found


def all_starts() -> set[tuple[str, str]]:
    paths = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return {
        (str(path.relative_to(ROOT)), function)
        for path in paths
        if path.name != "kept_task.py"
        for function in starts(path)
    }


def test_whatever_goes_on_by_itself_is_kept_or_ends_with_what_it_serves() -> None:
    assert all_starts() - SHORT_LIVED.keys() == set()


def test_the_list_names_nothing_that_is_gone() -> None:
    assert SHORT_LIVED.keys() - all_starts() == set()


@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    asyncio.create_task(work())",
        "async def f():\n    self._x = asyncio.get_running_loop().create_task(work())",
        "def f():\n    Thread(target=work).start()",
        "class A:\n    def f(self):\n        loop.run_in_executor(None, work)",
    ],
)
def test_the_search_finds(source: str, tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(source)
    assert starts(module) == ["f"]
