"""What a user may have got wrong, said in one sentence.

Every error that a user can cause is one of these. The entry points print its text without a traceback and leave with
its exit code; any other exception is a defect of the program and keeps its traceback.
"""


class KaryoError(Exception):
    """Something outside the program stopped the run: unreadable data, a full disk, a diverged training."""

    exit_code = 1


class SettingsError(KaryoError):
    """A setting that cannot be meant: a missing root, an unknown name, a value out of range."""

    exit_code = 2


class DataError(KaryoError):
    """The data are not what they should be: unreadable images, unknown labels, leaks between splits."""


_LONGEST_NAME = 300


def printable(name: object) -> str:
    """Give a name as one line that any terminal and log can show.

    Args:
        name: A path, or what a stranger called a file.

    Returns:
        It with line breaks, control characters and what is no character written as escapes; of a very long one the
        end.
    """
    text = "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in str(name))
    return text if len(text) <= _LONGEST_NAME else "..." + text[-_LONGEST_NAME:]
