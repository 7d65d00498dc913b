"""Many runs: planned, done once each on one machine or many, watched, and reported on."""
