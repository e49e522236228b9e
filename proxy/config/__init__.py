"""The config language: files in, one immutable `Config` and its diagnostics out."""

from proxy.config.diagnostic import Diagnostic
from proxy.config.model import Config

__all__ = ["Config", "Diagnostic"]
