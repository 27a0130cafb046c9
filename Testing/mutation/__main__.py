"""Mutation testing: change the code in small ways, and count the changes that no test notices.

Run `python Testing/mutation` in the root of the repository. `[tool.mutmut]` in pyproject.toml names the files that
mutmut changes and the tests that it runs. This script adds what mutmut lacks: a random sample of each package, a table
by package, and the layout of the Slicer module, whose package `CovidSegModule` is in the folder `CovidSeg`.

mutmut changes functions, methods and class methods, but no constants, properties and decorated functions.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
from collections import Counter
from pathlib import Path

from mutmut import __main__ as mutmut
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.utils import format_utils
from mutmut.utils.file_utils import walk_all_files

NOTICED = ("killed", "timeout", "segfault")
#: A change that was not noticed is tried again, as there may be a new test. So is one that took too long.
UNSETTLED = ("not checked", "no tests", "survived", "suspicious", "timeout", "check was interrupted by user")


def main() -> None:
    arguments = parse_arguments()
    name_modules_as_they_are_imported()
    leave_child_processes_alone()
    create_mutants(arguments.children)
    groups = mutants_by_package()
    chosen = {
        package: sorted(random.Random(arguments.seed).sample(names, min(arguments.sample, len(names))))
        for package, names in groups.items()
        if package in (arguments.packages or groups)
    }
    for open_status in (UNSETTLED, ("not checked",)):  # mutmut may forget results when its configuration has changed
        results = read_results()
        if names := [name for group in chosen.values() for name in group if results[name][1] in open_status]:
            mutmut._run(names, arguments.children)
    write_report(arguments.report, groups, chosen)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python Testing/mutation", description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="*", help="such as metrics; all if none is given")
    parser.add_argument("--sample", type=int, default=10**9, help="number of changes per package; all if not given")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--children", type=int, default=2, help="number of processes")
    parser.add_argument("--report", type=Path, default=Path("mutants/report.md"), help="Markdown file to write")
    return parser.parse_args()


def name_modules_as_they_are_imported() -> None:
    """Let mutmut call the modules of the Slicer module `CovidSegModule...`, and not `CovidSeg.CovidSegModule...`."""
    strip_prefix = format_utils.strip_prefix

    def strip(text: str, *, prefix: str, strict: bool = False) -> str:
        return strip_prefix(text.removeprefix("CovidSeg."), prefix=prefix, strict=strict)

    format_utils.strip_prefix = strip


def leave_child_processes_alone() -> None:
    """Let only this process record what a test calls. A child process does not find mutmut's configuration."""
    set_mutant_under_test = mutmut.set_mutant_under_test

    def set_here(name: str | None) -> None:
        set_mutant_under_test(name)
        if name == "stats":
            os.environ.pop("MUTANT_UNDER_TEST")

    mutmut.set_mutant_under_test = set_here


def create_mutants(children: int) -> None:
    """Write the changed files into `mutants`. Python files that are as before keep their results."""
    shutil.rmtree("mutants/Testing", ignore_errors=True)  # mutmut keeps removed tests
    for folder, name in walk_all_files():  # and copies other files only once
        if not name.endswith(".py"):
            (Path("mutants") / folder / name).unlink(missing_ok=True)
    Path("mutants").mkdir(exist_ok=True)
    with mutmut.CatchOutput(spinner_title="Creating the changed files"):
        mutmut.copy_src_dir()
        mutmut.copy_also_copy_files()
        mutmut.create_mutants(children)


def read_results() -> dict[str, tuple[Path, str]]:
    """Return the source file and the status of each mutant."""
    results = {}
    for path in mutmut.walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, code in data.exit_code_by_key.items():
            results[name] = path, mutmut.status_by_exit_code[code]
    return results


def mutants_by_package() -> dict[str, list[str]]:
    """Return the names of all mutants by package, or module without a package."""
    groups: dict[str, list[str]] = {}
    for name, (path, _) in read_results().items():
        parts = path.with_suffix("").parts
        groups.setdefault(parts[2] if parts[0] == "CovidSeg" else parts[1], []).append(name)
    return dict(sorted(groups.items()))


def write_report(report: Path, groups: dict[str, list[str]], chosen: dict[str, list[str]]) -> None:
    results = read_results()
    lines = ["| package | changes | tried | noticed | score |", "| --- | ---: | ---: | ---: | ---: |"]
    unnoticed = []
    for package, names in chosen.items():
        count = Counter(results[name][1] for name in names)
        noticed = sum(count[status] for status in NOTICED)
        score = f"{100 * noticed / len(names):.0f} %"
        lines.append(f"| {package} | {len(groups[package])} | {len(names)} | {noticed} | {score} |")
        unnoticed += [name for name in names if results[name][1] not in NOTICED]
    for name in unnoticed:
        diff = get_diff_for_mutant(name, path=results[name][0])
        lines += ["", f"{name}: {results[name][1]}", "", "```diff", *diff.splitlines()[3:], "```"]
    report.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines[: 2 + len(chosen)]), f"\nWhat was not noticed is in {report}.")


if __name__ == "__main__":
    main()
