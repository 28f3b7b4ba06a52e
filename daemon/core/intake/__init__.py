"""What a file of the inbox is: settled or not, whose, and whose turn it is."""
