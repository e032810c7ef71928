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
        Operation("count_above", "how many of nums are above 6", "sum(x > 6 for x in nums)", "int"),
        Operation("alternating_sum", "the alternating sum of nums", "sum(nums[::2]) - sum(nums[1::2])", "int"),
        Operation("average", "the average of nums rounded down, 0 if empty", "sum(nums) // len(nums) if nums else 0", "int"),
    ),
    schooling=(
        Operation("count", "how many numbers nums has", "len(nums)", "int"),
        Operation("middle", "the middle one of sorted nums, 0 if empty", "sorted(nums)[len(nums) // 2] if nums else 0", "int"),
        Operation("distinct", "the number of different numbers in nums", "len(set(nums))", "int"),
        Operation("weighted_sum", "the sum of each number times its position", "sum(i * x for i, x in enumerate(nums))", "int"),
    ),
)

FILTERING = Category(
    "filtering",
    "nums",
    (
        Operation("positives", "the list of positive numbers", "[x for x in nums if x > 0]", "list"),
        Operation("evens", "the list of even numbers", "[x for x in nums if x % 2 == 0]", "list"),
        Operation("above", "the list of numbers above 3", "[x for x in nums if x > 3]", "list"),
        Operation("without_multiples", "the list without the multiples of 5", "[x for x in nums if x % 5]", "list"),
        Operation("at_even_positions", "the list of numbers at even positions", "nums[::2]", "list"),
        Operation("singles", "the list of numbers that occur once", "[x for x in nums if nums.count(x) == 1]", "list"),
        Operation("below_average", "the list of numbers below the average", "[x for x in nums if x * len(nums) < sum(nums)]", "list"),
        Operation("two_digits", "the list of numbers of two digits", "[x for x in nums if 10 <= abs(x) <= 99]", "list"),
        Operation(
            "larger_than_previous", "the list of numbers larger than the one before", "[y for x, y in zip(nums, nums[1:]) if y > x]", "list"
        ),
    ),
    schooling=(
        Operation("odds", "the list of odd numbers", "[x for x in nums if x % 2 == 1]", "list"),
        Operation("repeated", "the list of numbers that occur again", "[x for x in nums if nums.count(x) > 1]", "list"),
        Operation(
            "without_extremes", "the list without its largest and smallest", "[x for x in nums if min(nums) < x < max(nums)]", "list"
        ),
        Operation("ending_in", "the list of numbers that end in 2", "[x for x in nums if abs(x) % 10 == 2]", "list"),
    ),
)

MAPPING = Category(
    "mapping",
    "nums",
    (
        Operation("squared", "the list of squares", "[x * x for x in nums]", "list"),
        Operation("running_sum", "the list of running sums", "[sum(nums[: i + 1]) for i in range(len(nums))]", "list"),
        Operation("differences", "the list of differences between neighbours", "[y - x for x, y in zip(nums, nums[1:])]", "list"),
        Operation("remainders", "the list of remainders modulo 4", "[x % 4 for x in nums]", "list"),
        Operation("times_position", "the list of each number times its position", "[i * x for i, x in enumerate(nums)]", "list"),
        Operation("signs", "the list of signs: 1, 0 or -1", "[(x > 0) - (x < 0) for x in nums]", "list"),
        Operation("capped", "the list with each number at most 7", "[min(x, 7) for x in nums]", "list"),
        Operation("parities", "the list of 'even' or 'odd'", "['odd' if x % 2 else 'even' for x in nums]", "list"),
        Operation("as_strings", "the list of numbers as strings", "[str(x) for x in nums]", "list"),
    ),
    schooling=(
        Operation("increased", "the list with 6 added to each", "[x + 6 for x in nums]", "list"),
        Operation("negated", "the list with each number negated", "[-x for x in nums]", "list"),
        Operation("below_largest", "the list of distances to the largest", "[max(nums) - x for x in nums]", "list"),
        Operation("running_max", "the list of running maxima", "[max(nums[: i + 1]) for i in range(len(nums))]", "list"),
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
        Operation("by_distance", "nums ordered by distance to 3", "sorted(nums, key=lambda x: abs(x - 3))", "list"),
        Operation("zeros_last", "nums with the zeros moved to the end", "sorted(nums, key=lambda x: x == 0)", "list"),
        Operation("by_frequency", "nums ordered by how often they occur", "sorted(nums, key=nums.count)", "list"),
        Operation("swapped_halves", "nums with its halves swapped", "nums[len(nums) // 2 :] + nums[: len(nums) // 2]", "list"),
    ),
    schooling=(
        Operation("backwards", "nums in reverse order", "nums[::-1]", "list"),
        Operation("rotated", "nums rotated left by 5", "nums[5 % max(len(nums), 1) :] + nums[: 5 % max(len(nums), 1)]", "list"),
        Operation("by_digit_sum", "nums ordered by digit sum", "sorted(nums, key=lambda x: sum(map(int, str(abs(x)))))", "list"),
        Operation("as_text_order", "nums ordered as strings", "sorted(nums, key=str)", "list"),
    ),
)

SEARCHING = Category(
    "searching",
    "nums",
    (
        Operation("occurrences", "how often 2 is in nums", "nums.count(2)", "int"),
        Operation("contains", "whether 4 is in nums", "4 in nums", "bool"),
        Operation("index_of_max", "the position of the largest, -1 if empty", "nums.index(max(nums)) if nums else -1", "int"),
        Operation("first_above", "the first number above 7, -1 if none", "next((x for x in nums if x > 7), -1)", "int"),
        Operation("last_even", "the last even number, -1 if none", "next((x for x in nums[::-1] if x % 2 == 0), -1)", "int"),
        Operation("closest_to", "the number closest to 6, -1 if empty", "min(nums, key=lambda x: abs(x - 6), default=-1)", "int"),
        Operation(
            "first_negative", "the position of the first negative, -1 if none", "next((i for i, x in enumerate(nums) if x < 0), -1)", "int"
        ),
        Operation("is_sorted", "whether nums is in ascending order", "all(x <= y for x, y in zip(nums, nums[1:]))", "bool"),
        Operation("first_missing", "the smallest positive number that is missing", "m = 1\nwhile m in nums:\n    m = m + 1\nm", "int"),
    ),
    schooling=(
        Operation("first", "the first of nums, 0 if empty", "nums[0] if nums else 0", "int"),
        Operation(
            "second_largest",
            "the second largest different number, -1 if none",
            "(sorted(set(nums)) or [-1])[-2:][0] if len(set(nums)) > 1 else -1",
            "int",
        ),
        Operation("has_pair", "whether two neighbours sum to 3", "any(x + y == 3 for x, y in zip(nums, nums[1:]))", "bool"),
        Operation("peaks", "how many numbers exceed both neighbours", "sum(x < y > z for x, y, z in zip(nums, nums[1:], nums[2:]))", "int"),
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
            "a dict of numbers grouped modulo 5",
            "g = {}\nfor x in nums:\n    g.setdefault(x % 5, []).append(x)\ng",
            "dict",
        ),
        Operation("next_of", "a dict from each number to the next one", "dict(zip(nums, nums[1:]))", "dict"),
        Operation("text_of", "a dict from each number to its string", "{x: str(x) for x in nums}", "dict"),
        Operation(
            "extremes", "a dict of 'min' and 'max', 0 if empty", "{'min': min(nums, default=0), 'max': max(nums, default=0)}", "dict"
        ),
    ),
    schooling=(
        Operation("parity_of", "a dict from each number to whether it is even", "{x: x % 2 == 0 for x in nums}", "dict"),
        Operation("first_position", "a dict from each number to its first position", "{x: nums.index(x) for x in nums}", "dict"),
        Operation(
            "sum_by_sign",
            "a dict of the sums of positives and negatives",
            "{'pos': sum(x for x in nums if x > 0), 'neg': sum(x for x in nums if x < 0)}",
            "dict",
        ),
        Operation("repeat_counts", "a dict of counts of repeated numbers", "{x: nums.count(x) for x in nums if nums.count(x) > 1}", "dict"),
    ),
)
