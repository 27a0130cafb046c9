"""The record of disturbed runs, and a table of it.

python Testing/faults/record.py RECORD.json --output docs/tables/faults.md
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]

from faults.jobs import JOBS
from faults.trial import FAULTS

PANEL = "the panel's run"
#: By fault: the number of trials, and what was wrong after some of them.
Results = dict[str, tuple[int, list[str]]]


def update(path: Path, job: str, results: Results) -> None:
    """Replace the results of a job by new ones for the faults that were tried."""
    record = read(path) if path.exists() else {}
    record[job] = {**record.get(job, {}), **results}
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Results]:
    """Read the results by job."""
    record = json.loads(path.read_text("utf-8"))
    return {
        job: {fault: (count, problems) for fault, (count, problems) in results.items()}
        for job, results in record.items()
    }


def table(record: dict[str, Results]) -> str:
    """Trials that went well, by command and fault, in Markdown."""
    faults = list(FAULTS)
    lines = [f"| command | {' | '.join(faults)} |", "| --- |" + " ---: |" * len(faults)]
    for job in (job for job in (*JOBS, PANEL) if job in record):
        cells = [
            f"{count - len(problems)} of {count}" if count else "-"
            for count, problems in (record[job].get(fault, (0, [])) for fault in faults)
        ]
        lines.append(f"| {job if job == PANEL else f'`{job}`'} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("record", type=Path)
    parser.add_argument("--output", type=Path, help="file for the table, in Markdown")
    options = parser.parse_args()
    text = table(read(options.record))
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
