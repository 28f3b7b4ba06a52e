"""Speech to text: what reads the videos, the Whisper worker, and the parents of both."""
