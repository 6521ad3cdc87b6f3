"""Regular expressions that mean the same in Python and in PostgreSQL.

The two spell and treat much differently, so a filter has the part they share
(docs/contract.md), and is rewritten to what neither reads in its own way.
"""

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput

MAX_PATTERN = 256
_MAX_COUNT = 255
"""The most that PostgreSQL counts to."""

_GRAMMAR = r"""
start: branches
branches: branch ("|" branch)*
branch: (atom | counted | anchor)*
counted: atom COUNT
?atom: CHARACTER | shorthand | ESCAPED | ANY | set | group
group: "(" branches ")"
set: OPEN (member | SHORTHAND)+ "]"
member: one ["-" one]
?one: IN_SET | ESCAPED
anchor: BEGIN | END
shorthand: SHORTHAND
COUNT: /[*+?]|\{[0-9]{1,3}(,[0-9]{0,3})?\}/
ANY: "."
BEGIN: "^"
END: "$"
OPEN.2: /\[\^?/
SHORTHAND: /\\[dws]/
ESCAPED: /\\[^A-Za-z0-9]/
IN_SET: /[^\\\]\[-]/
CHARACTER: /[^\\.\[\](){}*+?|^$]/
"""
_SHORTHANDS = {r"\d": "0-9", r"\w": "A-Za-z0-9_", r"\s": " \t\n\r\f\v"}
_WITHOUT_END = ("*", "+")


class PatternInvalid(ValueError):
    """The expression is not of the shared part; `position` is where it leaves it."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.position = position


def portable(pattern: str) -> str:
    """Return the expression as both engines read it alike.

    Raises PatternInvalid for what they don't share, and for a count without end
    within another: it can take a backtracking engine for ever.
    """
    if len(pattern) > MAX_PATTERN:
        raise PatternInvalid(f"at most {MAX_PATTERN} characters", MAX_PATTERN)
    try:
        tree = _PARSER.parse(pattern)
    except UnexpectedInput as error:
        at = error.pos_in_stream
        position = len(pattern) if at is None or at < 0 else at
        raise PatternInvalid("not a regular expression that filters have", position) from None
    rewritten = _Rewrite()
    text = rewritten.transform(tree)
    if rewritten.problem:
        raise rewritten.problem
    # `.` is any character, at the beginning of a text and at no line's.
    return f"(?s){text}"


class _Rewrite(Transformer[Token, str]):
    """From the tree to text; remembers the first thing that may not be."""

    def __init__(self) -> None:
        super().__init__()
        self.problem: PatternInvalid | None = None
        self._endless: set[str] = set()

    def start(self, parts: list[str]) -> str:
        return parts[0]

    def branches(self, parts: list[str]) -> str:
        return "|".join(parts)

    def branch(self, parts: list[str]) -> str:
        return "".join(parts)

    def group(self, parts: list[str]) -> str:
        return f"(?:{parts[0]})"

    def anchor(self, parts: list[str]) -> str:
        return parts[0]

    def counted(self, parts: list[str]) -> str:
        atom, count = parts
        text = f"{atom}{count}"
        if _is_endless(count):
            if atom in self._endless or any(inner in atom for inner in self._endless):
                self._complain("a count without end within another", count)
            self._endless.add(text)
        return text

    def COUNT(self, token: Token) -> str:
        if token.startswith("{"):
            numbers = [int(number) for number in token[1:-1].split(",") if number]
            if numbers[-1] > _MAX_COUNT or numbers != sorted(numbers):
                self._complain(f"counts go up to {_MAX_COUNT}, the lesser first", token)
        return token

    def set(self, parts: list[str]) -> str:
        return "".join(parts) + "]"

    def member(self, parts: list[str | None]) -> str:
        first, last = parts
        assert first is not None
        if last is None:
            return first
        if first[-1] > last[-1]:
            self.problem = self.problem or PatternInvalid("a range that runs backwards", 0)
        return f"{first}-{last}"

    def CHARACTER(self, token: Token) -> str:
        return _literal(token)

    def IN_SET(self, token: Token) -> str:
        return _literal(token)

    def ESCAPED(self, token: Token) -> str:
        return _literal(token[1:])

    def shorthand(self, parts: list[str]) -> str:
        return f"[{parts[0]}]"

    def SHORTHAND(self, token: Token) -> str:
        return _SHORTHANDS[token]

    def BEGIN(self, _: Token) -> str:
        return r"\A"

    def END(self, _: Token) -> str:
        return r"\Z"

    def _complain(self, message: str, at: str) -> None:
        position = (at.start_pos if isinstance(at, Token) else 0) or 0
        self.problem = self.problem or PatternInvalid(message, position)


def _is_endless(count: str) -> bool:
    return count in _WITHOUT_END or count.endswith(",}")


def _literal(character: str) -> str:
    special = character.isascii() and not character.isalnum() and character.isprintable()
    return f"\\{character}" if special and not character.isspace() else character


_PARSER = Lark(_GRAMMAR, parser="lalr", maybe_placeholders=True)
