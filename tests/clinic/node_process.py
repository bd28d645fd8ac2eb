"""A node in a process, to be killed: ``python -m tests.clinic.node_process FOLDER PORT ARCHIVE_PORT [QUIET]``."""

import sys
from pathlib import Path

from isthmus.clinic.node_log import NodeLog
from isthmus.clinic.node_service import run_node
from tests.clinic.nodes import make_counting, settings_of


def main() -> None:
    folder, port, archive = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    quiet_s = float(sys.argv[4]) if len(sys.argv) > 4 else 1.0
    settings = settings_of(
        folder,
        listen={"port": port},
        destinations={"archive": {"kind": "dicom", "ae_title": "ARCHIVE", "address": "127.0.0.1", "port": archive}},
        study={"quiet_s": quiet_s},
        retry={"attempts": 50},
        limits={"stalled_s": 20},
    )
    run_node(settings, make_counting, NodeLog(sys.stderr, as_json=True))


if __name__ == "__main__":
    main()
