"""Writes what a benchmark found: JSON for machines, a Markdown table for readers."""

import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """Return what the figures depend on: processor, threads and versions; no host, no paths."""
    import torch

    capabilities = torch.cpu.get_capabilities()
    return {
        "processor": str(capabilities.get("cpu_name", platform.machine())),
        "bf16": bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16")),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def write(name: str, facts: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], words: str) -> None:
    """Write ``results/<name>.json`` and ``results/<name>.md``, and print the latter."""
    RESULTS.mkdir(exist_ok=True)
    content = {"benchmark": name, "facts": dict(facts), "rows": [dict(row) for row in rows]}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    columns = list(rows[0])
    lines = [f"# {name}", "", words, "", _line(columns), _line(["---"] * len(columns))]
    lines += [_line([_shown(row[column]) for column in columns]) for row in rows]
    lines += ["", ", ".join(f"{key}: {_shown(value)}" for key, value in facts.items()), ""]
    text = "\n".join(lines)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
