"""From a composed configuration to a finished run. Nothing heavy is imported here: `--help` must answer at once."""
