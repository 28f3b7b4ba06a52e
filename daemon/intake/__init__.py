"""The intake: scan the inbox, claim its finished files, and create tasks from them."""
