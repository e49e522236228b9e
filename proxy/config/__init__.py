"""The config language: files in, one immutable `Config` and its diagnostics out."""

from proxy.config.diagnostic import Diagnostic
from proxy.config.load import LoadedConfig, SourceFile, SourceLocation, load_config
from proxy.config.model import ELICITATION_MODES, Config, ElicitationMode

__all__ = [
    "ELICITATION_MODES",
    "Config",
    "Diagnostic",
    "ElicitationMode",
    "LoadedConfig",
    "SourceFile",
    "SourceLocation",
    "load_config",
]
