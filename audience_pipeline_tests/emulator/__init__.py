"""Tests of the emulator's installation, start and end."""
