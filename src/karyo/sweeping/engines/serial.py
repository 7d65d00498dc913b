"""One job after the other in this process, which imports torch and reads the images only once."""

import gc

from karyo.sweeping.job import SweepJob, execute


class SerialEngine:
    """Does a sweep's jobs one after the other, here."""

    shares_fate = True

    def run(self, jobs: list[SweepJob]) -> None:
        """Do all jobs; see :class:`karyo.sweeping.job.Engine`."""
        # What is there before the first job stays; to look through torch's modules after each one would take a while.
        gc.freeze()
        try:
            for job in jobs:
                execute(job)
                # Trainers, callbacks and optimizers refer to one another in circles: 36 networks would wait for Python
                # to look for such by itself.
                gc.collect()
        finally:
            gc.unfreeze()
