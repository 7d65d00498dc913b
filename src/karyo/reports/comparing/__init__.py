"""What a comparison of runs consists of, each step in a file of its own; `karyo.reports.comparison` is its door."""
