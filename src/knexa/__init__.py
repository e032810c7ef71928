"""KNEXA: federated fine-tuning of LLMs without an aggregator (method: arXiv 2601.17133)."""

__version__ = "0.1.0"
