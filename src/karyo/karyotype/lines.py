"""Sentences that any terminal, table and record can show."""


def one_line(text: str) -> str:
    """Give a sentence as one line, however long: what cannot be shown becomes a space."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
