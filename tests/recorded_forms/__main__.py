"""`python -m tests.recorded_forms`: write what this build's log and snapshots look like, never over a file.

To be run once for each fold version, before it is changed.
"""

from __future__ import annotations

from pathlib import Path

from domain.partition import FOLD_VERSION
from tests.recorded_forms.recording import write
from tests.recorded_forms.scenes import SCENES

FOLDER = Path(__file__).parent.parent / "fixtures" / "forms"


def main() -> None:
    folder = FOLDER / f"v{FOLD_VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    for name, scene in SCENES.items():
        path = folder / f"{name}.json"
        write(path, scene())
        print(f"{path.relative_to(Path.cwd())}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
