"""Networks that recognise chromosomes, and the Lightning module that trains them."""
