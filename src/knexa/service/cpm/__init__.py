"""The coordinator's process (CPM). It imports neither models nor texts: a lint rule holds it to that."""
