"""Options that commands share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from cyclopts import Parameter
from cyclopts.validators import Number

Json: TypeAlias = Annotated[bool, Parameter(name="--json", negative="")]
"""Print JSON for programs, in place of what is for people."""

Limit: TypeAlias = Annotated[int, Parameter(validator=Number(gte=1))]
"""Most rows to print."""

Switch: TypeAlias = Annotated[bool, Parameter(negative="")]
"""On if it is there; has no opposite."""

Repeated: TypeAlias = Annotated[list[str] | None, Parameter(negative="")]
"""Given once for each of several values."""
