"""Categories on one list of integers: aggregation, filtering, mapping, ordering, searching, dictionaries."""

from __future__ import annotations

from knexa.evaluation.bank.template import Category, Operation

AGGREGATION = Category(
    "aggregation",
    "nums",
    (
        Operation("total", "the sum of nums", "sum(nums)", "int"),
        Operation("largest", "the largest of nums, 0 if empty", "max(nums, default=0)", "int"),
        Operation("sum_of_squares", "the sum of the squares of nums", "sum(x * x for x in nums)", "int"),
        Operation("product", "the product of nums", "p = 1\nfor x in nums:\n    p = p * x\np", "int"),
        Operation("spread", "the largest minus the smallest of nums, 0 if empty", "max(nums, default=0) - min(nums, default=0)", "int"),
        Operation("even_total", "the sum of the even numbers in nums", "sum(x for x in nums if x % 2 == 0)", "int"),
        Operation("count_above", "how many of nums are above {k}", "sum(x > {k} for x in nums)", "int"),
        Operation("alternating_sum", "the alternating sum of nums", "sum(nums[::2]) - sum(nums[1::2])", "int"),
        Operation("average", "the average of nums rounded down, 0 if empty", "sum(nums) // len(nums) if nums else 0", "int"),
    ),
)

FILTERING = Category(
    "filtering",
    "nums",
    (
        Operation("positives", "the list of positive numbers", "[x for x in nums if x > 0]", "list"),
        Operation("evens", "the list of even numbers", "[x for x in nums if x % 2 == 0]", "list"),
        Operation("above", "the list of numbers above {k}", "[x for x in nums if x > {k}]", "list"),
        Operation("without_multiples", "the list without the multiples of {k}", "[x for x in nums if x % {k}]", "list"),
        Operation("at_even_positions", "the list of numbers at even positions", "nums[::2]", "list"),
        Operation("singles", "the list of numbers that occur once", "[x for x in nums if nums.count(x) == 1]", "list"),
        Operation("below_average", "the list of numbers below the average", "[x for x in nums if x * len(nums) < sum(nums)]", "list"),
        Operation("two_digits", "the list of numbers of two digits", "[x for x in nums if 10 <= abs(x) <= 99]", "list"),
        Operation(
            "larger_than_previous", "the list of numbers larger than the one before", "[y for x, y in zip(nums, nums[1:]) if y > x]", "list"
        ),
    ),
)

MAPPING = Category(
    "mapping",
    "nums",
    (
        Operation("squared", "the list of squares", "[x * x for x in nums]", "list"),
        Operation("running_sum", "the list of running sums", "[sum(nums[: i + 1]) for i in range(len(nums))]", "list"),
        Operation("differences", "the list of differences between neighbours", "[y - x for x, y in zip(nums, nums[1:])]", "list"),
        Operation("remainders", "the list of remainders modulo {k}", "[x % {k} for x in nums]", "list"),
        Operation("times_position", "the list of each number times its position", "[i * x for i, x in enumerate(nums)]", "list"),
        Operation("signs", "the list of signs: 1, 0 or -1", "[(x > 0) - (x < 0) for x in nums]", "list"),
        Operation("capped", "the list with each number at most {k}", "[min(x, {k}) for x in nums]", "list"),
        Operation("parities", "the list of 'even' or 'odd'", "['odd' if x % 2 else 'even' for x in nums]", "list"),
        Operation("as_strings", "the list of numbers as strings", "[str(x) for x in nums]", "list"),
    ),
)

ORDERING = Category(
    "ordering",
    "nums",
    (
        Operation("ascending", "nums in ascending order", "sorted(nums)", "list"),
        Operation("descending", "nums in descending order", "sorted(nums, reverse=True)", "list"),
        Operation("by_size", "nums ordered by absolute value", "sorted(nums, key=abs)", "list"),
        Operation("by_last_digit", "nums ordered by last digit", "sorted(nums, key=lambda x: abs(x) % 10)", "list"),
        Operation("evens_first", "nums with the even numbers first", "sorted(nums, key=lambda x: x % 2)", "list"),
        Operation("by_distance", "nums ordered by distance to {k}", "sorted(nums, key=lambda x: abs(x - {k}))", "list"),
        Operation("zeros_last", "nums with the zeros moved to the end", "sorted(nums, key=lambda x: x == 0)", "list"),
        Operation("by_frequency", "nums ordered by how often they occur", "sorted(nums, key=nums.count)", "list"),
        Operation("swapped_halves", "nums with its halves swapped", "nums[len(nums) // 2 :] + nums[: len(nums) // 2]", "list"),
    ),
)

SEARCHING = Category(
    "searching",
    "nums",
    (
        Operation("occurrences", "how often {k} is in nums", "nums.count({k})", "int"),
        Operation("contains", "whether {k} is in nums", "{k} in nums", "bool"),
        Operation("index_of_max", "the position of the largest, -1 if empty", "nums.index(max(nums)) if nums else -1", "int"),
        Operation("first_above", "the first number above {k}, -1 if none", "next((x for x in nums if x > {k}), -1)", "int"),
        Operation("last_even", "the last even number, -1 if none", "next((x for x in nums[::-1] if x % 2 == 0), -1)", "int"),
        Operation("closest_to", "the number closest to {k}, -1 if empty", "min(nums, key=lambda x: abs(x - {k}), default=-1)", "int"),
        Operation(
            "first_negative", "the position of the first negative, -1 if none", "next((i for i, x in enumerate(nums) if x < 0), -1)", "int"
        ),
        Operation("is_sorted", "whether nums is in ascending order", "all(x <= y for x, y in zip(nums, nums[1:]))", "bool"),
        Operation("first_missing", "the smallest positive number that is missing", "m = 1\nwhile m in nums:\n    m = m + 1\nm", "int"),
    ),
)

DICTIONARIES = Category(
    "dictionaries",
    "nums",
    (
        Operation("square_of", "a dict from each number to its square", "{x: x * x for x in nums}", "dict"),
        Operation("position_of", "a dict from each position to its number", "dict(enumerate(nums))", "dict"),
        Operation("counts", "a dict from each number to how often it occurs", "{x: nums.count(x) for x in nums}", "dict"),
        Operation("last_position", "a dict from each number to its last position", "{x: i for i, x in enumerate(nums)}", "dict"),
        Operation(
            "by_parity",
            "a dict of the even and the odd numbers",
            "{'even': [x for x in nums if x % 2 == 0], 'odd': [x for x in nums if x % 2]}",
            "dict",
        ),
        Operation(
            "by_remainder",
            "a dict of numbers grouped modulo {k}",
            "g = {}\nfor x in nums:\n    g.setdefault(x % {k}, []).append(x)\ng",
            "dict",
        ),
        Operation("next_of", "a dict from each number to the next one", "dict(zip(nums, nums[1:]))", "dict"),
        Operation("text_of", "a dict from each number to its string", "{x: str(x) for x in nums}", "dict"),
        Operation(
            "extremes", "a dict of 'min' and 'max', 0 if empty", "{'min': min(nums, default=0), 'max': max(nums, default=0)}", "dict"
        ),
    ),
)
