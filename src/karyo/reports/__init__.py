"""From predictions and run records to figures, tables and files that people read."""
