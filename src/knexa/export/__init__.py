"""A finished run for the tools that people look at curves with. All of it comes from the run's record, after the fact."""
