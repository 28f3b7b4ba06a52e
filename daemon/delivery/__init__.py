"""What leaves: results into the outbox, videos into the archive, and what is kept only for a time."""
