"""From a finished run to one file that other software can use."""
