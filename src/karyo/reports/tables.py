"""Tables on a terminal: one look for all of them."""

from rich import box
from rich.table import Table
from rich.text import Text


def plain_table(title: str, caption: str | Text | None = None) -> Table:
    """Give an empty table.

    Args:
        title: Above it, on the left; taken as it is, without rich's markup.
        caption: Below it.
    """
    return Table(
        title=Text(title),
        title_justify="left",
        caption=Text(caption) if isinstance(caption, str) else caption,
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
