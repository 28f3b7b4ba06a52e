"""What a result holds: documents, the models' answers, and whether they were really said."""
