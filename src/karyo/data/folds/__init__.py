"""Folds fixed in a file by the names of cases or cells, so that every laboratory tests on the same ones."""
