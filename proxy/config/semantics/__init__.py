"""What a config means beyond its shape: names that must exist, secrets, exposure, advice.

Each check takes a `ConfigView` and yields findings. The list of checks is here, in the order of their codes.
"""

from collections.abc import Callable, Iterator

from proxy.config.locations import Finding
from proxy.config.semantics.advice import advise
from proxy.config.semantics.environment import check_environment
from proxy.config.semantics.files import check_files
from proxy.config.semantics.listeners import check_listeners
from proxy.config.semantics.plain_text import check_plain_text
from proxy.config.semantics.public_path import check_public_path
from proxy.config.semantics.references import check_references, check_sections
from proxy.config.semantics.rules import (
    check_conditions,
    check_patterns,
    check_rule_ids,
    check_tool_patterns,
)
from proxy.config.semantics.safety import check_exposure, check_plain_http
from proxy.config.semantics.tls import check_tls
from proxy.config.semantics.view import ConfigView

SemanticCheck = Callable[[ConfigView], Iterator[Finding]]

CHECKS: tuple[SemanticCheck, ...] = (
    check_rule_ids,
    check_references,
    check_sections,
    check_public_path,
    check_listeners,
    check_conditions,
    check_patterns,
    check_tool_patterns,
    check_files,
    check_tls,
    check_plain_text,
    check_environment,
    check_exposure,
    check_plain_http,
)

__all__ = ["CHECKS", "ConfigView", "SemanticCheck", "advise"]
