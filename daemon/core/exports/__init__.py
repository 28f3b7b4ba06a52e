"""What leaves for a grade book: tables of Moodle and Canvas, filled in, and a table of every field."""
