"""A user's program, for pyright: each `reveal_type` and each error is checked by the test."""

from typing import Annotated, assert_type

import stardag as sd


@sd.task
def numbers(limit: int) -> list[int]:
    return list(range(limit))


@sd.task(name="Total", version="2")
def total(values: sd.Depends[list[int]], scale: int = 1) -> int:
    return scale * sum(values)


class Scaled(sd.AutoTask[list[int]]):
    values: sd.TaskLoads[list[int]]
    factor: Annotated[int, sd.StardagField(hash_exclude=True)] = 1
    others: sd.TaskSet[sd.TaskLoads[int]] = frozenset()

    def requires(self):
        return [self.values, *self.others]

    def run(self):
        assert_type(self.values.load(), list[int])
        self.output().save([self.factor * value for value in self.values.load()])


made = numbers(limit=3)
assert_type(made.load(), list[int])
assert_type(total(values=made).load(), int)
assert_type(total(values=made).result(), int)
assert_type(total.call([1, 2], scale=2), int)
scaled = Scaled(values=made, factor=2, others=frozenset({total(values=made)}))
assert_type(scaled.load(), list[int])
assert_type(scaled.output(), sd.FileSystemTarget[list[int]])
assert_type(sd.build([scaled, {"x": made}]).ok, bool)
unique = {made, scaled}
ordered = sorted(unique)

Scaled(values=total(values=made))  # error: reportArgumentType
Scaled(factor=2)  # error: reportCallIssue
total.call("text")  # error: reportArgumentType
wrong: str = made.load()  # error: reportAssignmentType
scaled.factor = 3  # error: reportAttributeAccessIssue
