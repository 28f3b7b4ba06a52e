"""Speech to text: the media child, which reads videos, the Whisper worker, and the parents of both."""
