"""The chromosomes of a cell decided together: assignment, copy numbers, ISCN text and the karyogram."""
