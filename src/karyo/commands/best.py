"""``karyo best``: the run to take, and why."""

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from karyo.commands.compare import check_runs, print_problems

if TYPE_CHECKING:
    from rich.console import Console

    from karyo.reports.comparing.choice import Choice, Limit


def best(
    paths: Annotated[list[Path], typer.Argument(help="Sweeps, runs, or directories above them.", show_default=False)],
    by: Annotated[str, typer.Option(help="accuracy or loss, on the validation side.")] = "accuracy",
    under_parameters: Annotated[
        str | None, typer.Option(help="At most so many weights: 15M.", show_default=False)
    ] = None,
    under_latency: Annotated[
        str | None, typer.Option(help="At most so many milliseconds for an image: 10.", show_default=False)
    ] = None,
    under_size: Annotated[
        str | None, typer.Option(help="At most so large a checkpoint: 50MB.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the run's directory and nothing else.")] = False,
) -> None:
    """Name the run to take: the best on its validation side within limits, the runner-up, and how sure that is."""
    from rich.console import Console

    from karyo.reports.comparing.choice import check_way, choose, read_limits
    from karyo.reports.comparison import compare

    check_way(by)
    limits = read_limits(under_parameters, under_latency, under_size)
    check_runs(paths)
    comparison = compare(paths)
    choice = choose(comparison, by, limits)
    if as_json:
        typer.echo(json.dumps(choice.to_dict(), indent=2, ensure_ascii=False))
    elif quiet:
        typer.echo(str(choice.run.directory))
    else:
        console = Console(width=None if sys.stdout.isatty() else 120)
        _print_choice(console, choice, limits)
        print_problems(console, comparison.problems)


def _print_choice(console: "Console", choice: "Choice", limits: "list[Limit]") -> None:
    """Print the choice, what speaks for it, and what to type next."""
    from karyo.reports.comparing.choice import settings_in_words
    from karyo.reports.outcome import print_pairs

    directory = shlex.quote(str(choice.run.directory))
    asked = "".join(f", at most {limit.write(limit.most)} {limit.name}" for limit in limits)
    among = f"{settings_in_words(choice.candidates)}{asked}"
    console.print(f"\n{choice.contender.label}", style="bold", markup=False, highlight=False)
    head = f"best validation {choice.by} of {among}\n{choice.board.title}\n"
    console.print(head, markup=False, highlight=False)
    for name, text in _facts(choice).items():
        console.print(f"  {name:<20}{text}", soft_wrap=True, markup=False, highlight=False)
    console.print(f"\n{_against_runner_up(choice)}", markup=False, highlight=False)
    for note in choice.notes:
        console.print(f"Note: {note}", style="yellow", markup=False, highlight=False)
    commands = {
        "put it into a file": f"karyo export {directory} -o chromosome.onnx",
        "measure it on your images": f"python src/evaluate.py run={directory} data=folders data.root=FOLDER",
    }
    print_pairs(console, "Next", commands)


def _facts(choice: "Choice") -> dict[str, str]:
    from karyo.evaluation.measure import Estimate
    from karyo.reports.comparing.choice import worth
    from karyo.reports.fields import magnitude, megabytes, milliseconds, percent, percent_with_interval

    it = choice.contender
    validation, test = (
        percent_with_interval(Estimate(mean.value, mean.low, mean.high)) for mean in (it.validation, it.test)
    )
    runs = len(it.finished)
    facts = {"validation accuracy": validation, "test accuracy": test}
    if choice.by == "loss":
        facts["validation loss"] = f"{worth(it, 'loss'):.4f}"
    facts |= {
        "parameters": magnitude(it.parameters),
        "size": megabytes(it.checkpoint_bytes),
        "latency": milliseconds(it.latency_ms),
        "run": str(choice.run.directory),
    }
    if runs > 1:
        own = percent(choice.run.validation_accuracy)
        facts["run"] += f"  (best of its {runs} repetitions on the validation side: {own}; above are their means)"
    return facts | {"checkpoint": str(choice.checkpoint)}


def _against_runner_up(choice: "Choice") -> str:
    """Say what the next best setting is, and whether it is worse."""
    from karyo.reports.comparing.choice import worth
    from karyo.reports.fields import percent

    if choice.runner_up is None:
        return "There is no other setting to compare it with."
    value = worth(choice.runner_up, choice.by)
    shown = percent(value) if choice.by == "accuracy" else f"{value:.4f}"
    verdict = "" if choice.duel is None else f" {choice.duel.verdict}"
    return f"Runner-up: {choice.runner_up.label}, validation {choice.by} {shown}.{verdict}"
