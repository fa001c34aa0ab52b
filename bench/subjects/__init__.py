"""What is measured. Each subject has TITLE, COLUMNS (figure, heading, digits) and `cases(bench)`."""
