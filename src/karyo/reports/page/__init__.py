"""The page of a comparison: one file that opens from disk, and its figures beside it."""

from karyo.reports.page.page import write_page

__all__ = ["write_page"]
