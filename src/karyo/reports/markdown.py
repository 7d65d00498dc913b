"""Markdown tables whose cells cannot break them."""

from collections.abc import Iterable, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], left: Iterable[str]) -> str:
    """Write a table.

    Args:
        header: Names of its columns.
        rows: A text for each column.
        left: Names of the columns that are aligned at the left; the others are numbers.
    """
    texts = set(left)
    return markdown_lines([header, [":--" if name in texts else "--:" for name in header], *rows])


def markdown_lines(lines: Iterable[Sequence[str]]) -> str:
    """Write lines of cells."""
    return "".join("| " + " | ".join(map(markdown_safe, line)) + " |\n" for line in lines)


def markdown_safe(cell: str) -> str:
    """Keep a cell from breaking its table."""
    return " ".join(cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
