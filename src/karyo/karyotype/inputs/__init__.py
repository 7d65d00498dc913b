"""What was typed to cells: which files are meant, what they show, and their content."""
