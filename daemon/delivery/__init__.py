"""Results to the outbox, videos to the archive; the deletion of files after their time, and of students."""
