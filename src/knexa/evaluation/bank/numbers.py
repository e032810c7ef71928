"""Categories on one number: digits (arithmetic), divisors and bits (number theory), series up to n (sequences)."""

from __future__ import annotations

from knexa.evaluation.bank.template import Category, Operation

ARITHMETIC = Category(
    "arithmetic",
    "n",
    (
        Operation("digit_sum", "the sum of the digits of n", "sum(int(d) for d in str(n))", "int"),
        Operation("digit_count", "the number of digits of n", "len(str(n))", "int"),
        Operation("digit_product", "the product of the digits of n", "p = 1\nfor d in str(n):\n    p = p * int(d)\np", "int"),
        Operation("largest_digit", "the largest digit of n", "max(int(d) for d in str(n))", "int"),
        Operation("reversed_number", "n with its digits reversed", "int(str(n)[::-1])", "int"),
        Operation("even_digits", "how many digits of n are even", "sum(int(d) % 2 == 0 for d in str(n))", "int"),
        Operation("distinct_digits", "how many different digits n has", "len(set(str(n)))", "int"),
        Operation("digit_square_sum", "the sum of the squared digits of n", "sum(int(d) ** 2 for d in str(n))", "int"),
        Operation("sorted_digits", "n with its digits in ascending order", "int(''.join(sorted(str(n))))", "int"),
    ),
    largest=9999,
)

NUMBER_THEORY = Category(
    "number_theory",
    "n",
    (
        Operation("remainder", "the remainder of n divided by {k}", "n % {k}", "int"),
        Operation("sum_to", "the sum of the numbers from 1 to n", "sum(range(1, n + 1))", "int"),
        Operation("divisor_count", "the number of divisors of n", "sum(n % d == 0 for d in range(1, n + 1))", "int"),
        Operation("divisor_sum", "the sum of the divisors of n", "sum(d for d in range(1, n + 1) if n % d == 0)", "int"),
        Operation("is_prime", "whether n is prime", "n > 1 and all(n % d for d in range(2, n))", "bool"),
        Operation("ones", "the number of ones in binary n", "bin(n).count('1')", "int"),
        Operation("is_square", "whether n is a perfect square", "int(n ** 0.5) ** 2 == n", "bool"),
        Operation(
            "halvings",
            "how often n can be halved before it is odd",
            "c = 0\nwhile n > 0 and n % 2 == 0:\n    n = n // 2\n    c = c + 1\nc",
            "int",
        ),
        Operation("multiples_sum", "the sum of the multiples of {k} below n", "sum(range(0, n, {k}))", "int"),
    ),
    largest=60,
)

SEQUENCES = Category(
    "sequences",
    "n",
    (
        Operation("count_up", "the list of numbers from 1 to n", "list(range(1, n + 1))", "list"),
        Operation("squares", "the list of the first n squares from 1", "[i * i for i in range(1, n + 1)]", "list"),
        Operation("count_down", "the list of numbers from n down to 1", "list(range(n, 0, -1))", "list"),
        Operation("odd_numbers", "the list of the first n odd numbers", "[2 * i + 1 for i in range(n)]", "list"),
        Operation("powers", "the list of the first n powers of {k}", "[{k} ** i for i in range(n)]", "list"),
        Operation("triangles", "the list of the first n triangular numbers", "[i * (i + 1) // 2 for i in range(1, n + 1)]", "list"),
        Operation(
            "fibonacci",
            "the list of the first n Fibonacci numbers",
            "f = [0, 1]\nwhile len(f) < n:\n    f.append(f[-1] + f[-2])\nf[:n]",
            "list",
        ),
        Operation(
            "alternating", "the list from 1 to n with every second number negative", "[i if i % 2 else -i for i in range(1, n + 1)]", "list"
        ),
        Operation("stars", "the list of rows of 1 to n stars", "['*' * i for i in range(1, n + 1)]", "list"),
    ),
    largest=9,
)
