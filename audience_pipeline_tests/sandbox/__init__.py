"""The sandbox itself: its process, its faults, its pace."""
