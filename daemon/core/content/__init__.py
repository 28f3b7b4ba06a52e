"""The content of a result: documents, the models' answers, and whether their values were really said."""
