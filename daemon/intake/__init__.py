"""The way in: looking at the inbox, claiming what is finished there, and giving birth to tasks."""
