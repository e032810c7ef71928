"""The report of a run, or of several side by side: ``report.html`` and the table in the terminal."""

from knexa.report.page import write_report
from knexa.report.tables import final_table

__all__ = ["final_table", "write_report"]
