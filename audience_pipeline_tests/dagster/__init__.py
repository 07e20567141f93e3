"""The Dagster layer, run by Dagster itself: real materializations, ticks and checks on an ephemeral instance."""
