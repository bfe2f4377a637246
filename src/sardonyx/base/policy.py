"""How exact results must be, and the machine to reach that on: what every decision of the compiler may read.

Pure data; must not know which kernels keep a policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sardonyx.base.target import Target


@dataclass(frozen=True, slots=True)
class Policy:
    """The precision that the user named: a choice of the option `precision`."""

    precision: str = "fp32"

    @property
    def fixed_order(self) -> bool:
        """Whether a sum's order may depend on its length alone: not on its neighbours or the threads."""
        return self.precision == "strict"


@dataclass(frozen=True, slots=True)
class Goal:
    """A machine and a policy."""

    target: Target
    policy: Policy = field(default_factory=Policy)
