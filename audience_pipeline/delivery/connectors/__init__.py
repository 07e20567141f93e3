"""Connectors: how a platform is told what to deliver. One module a platform, all under one contract."""
