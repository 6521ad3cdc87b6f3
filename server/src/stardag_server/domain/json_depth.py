"""How deeply JSON is nested, told without parsing it: a parser would run out of stack."""

import re

from stardag_server.domain import limits

# A string that does not end reaches to the end: it is looked at once, not from each quote in it.
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


def is_too_deep(text: str) -> bool:
    """Tell whether lists and objects are more than 64 in one another; the text may be no JSON."""
    if text.count("{") + text.count("[") <= limits.MAX_JSON_DEPTH:
        return False
    depth = 0
    for token in _STRING_OR_BRACKET.finditer(text):
        match token[0]:
            case "[" | "{":
                depth += 1
            case "]" | "}":
                depth -= 1
            case _:
                continue
        if depth > limits.MAX_JSON_DEPTH:
            return True
    return False
