"""What is in deploy/, checked against the code and the schemas of those who read it."""
