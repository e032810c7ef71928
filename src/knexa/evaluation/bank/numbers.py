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
    schooling=(
        Operation("tens_digit", "the tens digit of n", "n // 10 % 10", "int"),
        Operation("smallest_digit", "the smallest digit of n", "min(int(d) for d in str(n))", "int"),
        Operation("first_digit", "the first digit of n", "int(str(n)[0])", "int"),
        Operation("digit_spread", "the gap between the largest and smallest digit of n", "int(max(str(n))) - int(min(str(n)))", "int"),
    ),
    largest=9999,
)

NUMBER_THEORY = Category(
    "number_theory",
    "n",
    (
        Operation("remainder", "the remainder of n divided by 3", "n % 3", "int"),
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
        Operation("multiples_sum", "the sum of the multiples of 5 below n", "sum(range(0, n, 5))", "int"),
    ),
    schooling=(
        Operation("is_multiple", "whether n is a multiple of 2", "n % 2 == 0", "bool"),
        Operation("bit_length", "how many binary digits n has", "n.bit_length()", "int"),
        Operation("integer_root", "the integer square root of n", "r = 0\nwhile (r + 1) * (r + 1) <= n:\n    r = r + 1\nr", "int"),
        Operation(
            "is_perfect", "whether n is the sum of its proper divisors", "n > 0 and n == sum(d for d in range(1, n) if n % d == 0)", "bool"
        ),
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
        Operation("powers", "the list of the first n powers of 4", "[4 ** i for i in range(n)]", "list"),
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
    schooling=(
        Operation("multiples", "the list of the first n multiples of 7", "[i * 7 for i in range(1, n + 1)]", "list"),
        Operation("cubes", "the list of the first n cubes from 1", "[i ** 3 for i in range(1, n + 1)]", "list"),
        Operation("binaries", "the list of binary strings of 0 to n", "[format(i, 'b') for i in range(n + 1)]", "list"),
        Operation(
            "halving", "the list of n halved again and again until 0", "h = []\nwhile n > 0:\n    h.append(n)\n    n = n // 2\nh", "list"
        ),
    ),
    largest=9,
)
