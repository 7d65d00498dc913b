"""What ``karyo karyotype`` prints and writes at the end: tables of cells and cases, and how many names were right."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from karyo.karyotype.batch import Judged
    from karyo.karyotype.case import CaseCall
    from karyo.karyotype.cell import Karyotype
    from karyo.karyotype.outcome import OutcomeFolder

_SHOWN = 40
_LONGEST_REMARK = 50


@dataclass(frozen=True)
class Results:
    """What came of all cells.

    Attributes:
        judged: Of each cell.
        left_out: Names and sentences of what was no cell to begin with.
        folder: Where the records are.
        cases: What the cells of each case say together, and how many they are.
        score: What :func:`karyo.evaluation.cells.score_cells` gives; None where no chromosome was named by a person.
    """

    judged: Sequence["Judged"]
    left_out: Sequence[tuple[str, str]]
    folder: "OutcomeFolder"
    cases: Mapping[str, "tuple[CaseCall, int]"]
    score: Mapping[str, Any] | None

    @property
    def many(self) -> bool:
        """Whether there is more than one cell to speak of."""
        return len(self.judged) + len(self.left_out) > 1


def gather(judged: Sequence["Judged"], left_out: Sequence[tuple[str, str]], folder: "OutcomeFolder") -> Results:
    """Let the cells of each case vote, and compare with the names that are known."""
    return Results(judged, left_out, folder, _cases(judged), _score(judged))


def write_tables(results: Results) -> list[Path]:
    """Write ``cells.csv``, ``cases.csv`` and ``accuracy.json``, those that there is something to say in.

    Raises:
        KaryoError: If one cannot be written.
    """
    from karyo.karyotype.table import CASE_COLUMNS, CELL_COLUMNS, case_row, cell_row, left_out_row, to_csv

    texts: dict[str, str] = {}
    if results.many:
        rows = [cell_row(each) for each in results.judged]
        rows += [left_out_row(name, reason) for name, reason in results.left_out]
        texts["cells.csv"] = to_csv(rows, CELL_COLUMNS)
    if results.cases:
        cases = [case_row(name, cells, call) for name, (call, cells) in results.cases.items()]
        texts["cases.csv"] = to_csv(cases, CASE_COLUMNS)
    if results.score is not None:
        texts["accuracy.json"] = json.dumps(results.score, indent=2) + "\n"
    return [_written(results.folder.path / name, text) for name, text in texts.items()]


def print_results(results: Results, written: Sequence[Path], seconds: float) -> None:
    """Print ISCN text or tables to standard output, and what a person should know to standard error."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 120
    screen, aside = Console(width=width), Console(stderr=True, width=width)
    if results.many:
        screen.print(_cell_table(results.judged))
        if len(results.judged) > _SHOWN:
            _say(screen, f"... and {len(results.judged) - _SHOWN:,} more; {written[0]} has them all")
    else:
        _print_cell(screen, aside, results)
    for name, (call, cells) in results.cases.items():
        _say(screen, f"case {name}, {cells} cell{'' if cells == 1 else 's'}: {call.iscn}")
        for remark in call.remarks:
            _say(aside, f"  {remark}")
    if results.score is not None:
        for line in describe_score(results.score):
            _say(screen, line)
    _print_end(aside, results, written, seconds)


def describe_score(score: Mapping[str, Any]) -> list[str]:
    """Give the comparison with names as lines of text."""
    from karyo.evaluation.cells import FEWEST_CELLS

    cells = f"{score['cells']:,} cell{'' if score['cells'] == 1 else 's'}"
    gain = _percent(score["gain"])
    gain += f" (no interval: fewer than {FEWEST_CELLS} cells)" if score["cells"] < FEWEST_CELLS else ""
    shares = ", ".join(f"{name} {_percent(score[name])}" for name in ("alone", "together"))
    return [
        f"{score['chromosomes']:,} chromosomes of {cells} have names: right {shares}; gain {gain}",
        f"cells fully right: {score['cells_right']:,} of {score['cells']:,}, {_percent(score['cells_right_share'])}",
    ]


def _cases(judged: Sequence["Judged"]) -> "dict[str, tuple[CaseCall, int]]":
    from karyo.karyotype.case import judge_case

    members: dict[str, list[Karyotype]] = {}
    for each in judged:
        if each.karyotype is not None and each.cell.case is not None:
            members.setdefault(each.cell.case, []).append(each.karyotype)
    return {name: (judge_case(cells), len(cells)) for name, cells in members.items()}


def _score(judged: Sequence["Judged"]) -> dict[str, Any] | None:
    from karyo.evaluation.cells import score_cells
    from karyo.karyotype.table import count_right

    counted = [count_right(each.karyotype) for each in judged if each.karyotype is not None]
    known = [each for each in counted if each.named]
    if not known:
        return None
    return score_cells([it.named for it in known], [it.alone for it in known], [it.together for it in known])


def _written(place: Path, text: str) -> Path:
    from karyo.errors import KaryoError
    from karyo.files import write_names

    try:
        write_names(place, text)
    except OSError as error:
        raise KaryoError(f"{place} cannot be written: {error.strerror or error}") from error
    return place


def _print_cell(screen: "Console", aside: "Console", results: Results) -> None:
    """Print the ISCN text of the only cell, and aside what a person should know of it."""
    if not results.judged or results.judged[0].karyotype is None:
        return
    from karyo.karyotype.outcome import is_reviewed

    cell = results.judged[0].karyotype
    _say(screen, cell.call.iscn)
    placed = sum(each.label is not None for each in cell.objects)
    doubtful = sum(each.doubtful for each in cell.objects)
    parts = [f"{len(cell.objects)} objects", f"{placed} in place", f"{doubtful} to look at"]
    _say(aside, f"{_printable(cell.name)}: {', '.join(parts)}; probability of the numbers {cell.call.probability:.3f}")
    for remark in [*(["reviewed by a person"] if is_reviewed(cell) else []), *cell.remarks]:
        _say(aside, f"  {_printable(remark)}")


def _cell_table(judged: Sequence["Judged"]) -> Any:
    from rich.markup import escape
    from rich.table import Table

    from karyo.karyotype.outcome import is_reviewed

    table = Table("cell", "objects", "ISCN", "doubtful", "probability", "remark", box=None, header_style="bold")
    for each in judged[:_SHOWN]:
        name, cell = escape(_printable(each.cell.name)), each.karyotype
        if cell is None:
            table.add_row(name, "", "", "", "", "[red]not decided[/red]")
            continue
        doubtful = str(sum(it.doubtful for it in cell.objects))
        remarks = [*(["reviewed by a person"] if is_reviewed(cell) else []), *cell.remarks]
        remark = f"[yellow]{escape(_shortened('; '.join(map(_printable, remarks))))}[/yellow]" if remarks else ""
        numbers = f"{cell.call.probability:.3f}"
        table.add_row(name, str(len(cell.objects)), escape(cell.call.iscn), doubtful, numbers, remark)
    return table


def _shortened(text: str) -> str:
    """Give what fits into a table; ``cells.csv`` has all of it."""
    return text if len(text) <= _LONGEST_REMARK else text[: _LONGEST_REMARK - 1] + "…"


def _print_end(aside: "Console", results: Results, written: Sequence[Path], seconds: float) -> None:
    """Say what failed, how much was done, and where it is."""
    from karyo.karyotype.iscn import SCOPE

    failed = [each for each in results.judged if each.karyotype is None]
    problems = [each.problem for each in failed] + [reason for _, reason in results.left_out]
    for problem in problems[:_SHOWN]:
        _say(aside, f"Error: {_printable(problem)}")
    done = [each for each in results.judged if each.karyotype is not None]
    parts = [f"{len(done):,} decided"]
    earlier = sum(each.earlier for each in done)
    parts += [f"{earlier:,} of them by an earlier run"] if earlier else []
    left = len(failed) + len(results.left_out)
    parts += [f"{left:,} left out"] if left else []
    total = len(results.judged) + len(results.left_out)
    _say(aside, f"{total:,} cell{'' if total == 1 else 's'}: {', '.join(parts)}; {seconds:.1f} s")
    if done and not results.many:
        folder, cell = results.folder, done[0].cell
        written = [*folder.pictures_of(cell), folder.record_of(cell), *written]
    elif done:
        written = [results.folder.path, *written]
    for place in written:
        _say(aside, f"written: {_printable(place)}")
    _name_left(aside, [place for each in done for place in results.folder.left_pictures_of(each.cell)])
    if done:
        _say(aside, SCOPE)


def _name_left(aside: "Console", left: Sequence[Path]) -> None:
    """Warn of pictures that stand beside newer records."""
    if not left:
        return
    more = f" and {len(left) - 1:,} more" if len(left) > 1 else ""
    _say(aside, f"not drawn anew: {_printable(left[0])}{more}, of an earlier run; the record may say something else")


def _percent(measure: Mapping[str, float | None]) -> str:
    value, low, high = (measure[name] for name in ("value", "low", "high"))
    between = f" ({100 * low:.1f} to {100 * high:.1f})" if low is not None and high is not None else ""
    return f"{100 * (value or 0):.1f} %{between}"


def _printable(text: object) -> str:
    """Give a name or a sentence as one line that any terminal shows."""
    from karyo.karyotype.lines import one_line

    return one_line(str(text))


def _say(console: "Console", text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
