"""What a sweep's jobs run on: this process, this machine's cores and GPUs, a Slurm or a Ray cluster."""
