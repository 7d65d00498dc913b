"""How good a classifier is: predictions, measures, and how far each measure can be trusted."""
