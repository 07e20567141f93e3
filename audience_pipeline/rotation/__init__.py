"""Keys in use: sealed rows counted by key, and rotation, which brings all of them under a new one."""
