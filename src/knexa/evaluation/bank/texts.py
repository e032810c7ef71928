"""Categories on strings (characters, words) and on two lists (pairing)."""

from __future__ import annotations

from knexa.evaluation.bank.template import Category, Operation

CHARACTERS = Category(
    "characters",
    "text",
    (
        Operation("count_char", "how often 'a' occurs", "text.count('a')", "int"),
        Operation("upper", "the text in upper case", "text.upper()", "str"),
        Operation("count_vowels", "the number of vowels", "sum(ch in 'aeiou' for ch in text)", "int"),
        Operation("without_vowels", "the text without vowels", "''.join(ch for ch in text if ch not in 'aeiou')", "str"),
        Operation("swapped_case", "the text with upper and lower case swapped", "text.swapcase()", "str"),
        Operation("doubled", "the text with each character doubled", "''.join(ch * 2 for ch in text)", "str"),
        Operation("is_palindrome", "whether the text is a palindrome", "text == text[::-1]", "bool"),
        Operation("sorted_letters", "the characters in sorted order", "''.join(sorted(text))", "str"),
        Operation("unique_letters", "the text without repeated characters", "''.join(dict.fromkeys(text))", "str"),
    ),
    schooling=(
        Operation("length", "the length of the text", "len(text)", "int"),
        Operation("most_common", "the most common character, '' if empty", "max(sorted(set(text)), key=text.count, default='')", "str"),
        Operation("count_digits", "how many digits the text has", "sum(ch.isdigit() for ch in text)", "int"),
        Operation("spread_out", "the characters joined by '-'", "'-'.join(text)", "str"),
    ),
)

WORDS = Category(
    "words",
    "words",
    (
        Operation("word_list", "the list of words", "text.split()", "list"),
        Operation("word_count", "the number of words", "len(text.split())", "int"),
        Operation("title", "the text with every word capitalised", "' '.join(w.capitalize() for w in text.split())", "str"),
        Operation("longest_word", "the longest word, '' if none", "max(text.split(), key=len, default='')", "str"),
        Operation("reversed_words", "the words in reverse order", "' '.join(text.split()[::-1])", "str"),
        Operation("acronym", "the first letters of the words", "''.join(w[0] for w in text.split())", "str"),
        Operation("word_lengths", "the list of word lengths", "[len(w) for w in text.split()]", "list"),
        Operation("sorted_words", "the words in alphabetical order", "' '.join(sorted(text.split()))", "str"),
        Operation("mirrored_words", "the text with each word reversed", "' '.join(w[::-1] for w in text.split())", "str"),
    ),
    schooling=(
        Operation("long_words", "the list of words longer than 2", "[w for w in text.split() if len(w) > 2]", "list"),
        Operation("dashed", "the words joined by dashes", "'-'.join(text.split())", "str"),
        Operation("distinct_words", "how many different words there are", "len(set(text.split()))", "int"),
        Operation("last_letters", "the last letters of the words", "''.join(w[-1] for w in text.split())", "str"),
    ),
)

PAIRING = Category(
    "pairing",
    "a_b",
    (
        Operation("pair_sums", "the list of sums of pairs", "[x + y for x, y in zip(a, b)]", "list"),
        Operation("pairs", "the list of pairs", "list(zip(a, b))", "list"),
        Operation("dot_product", "the dot product", "sum(x * y for x, y in zip(a, b))", "int"),
        Operation("common", "the sorted common numbers", "sorted(set(a) & set(b))", "list"),
        Operation("only_in_a", "the list of numbers of a that are not in b", "[x for x in a if x not in b]", "list"),
        Operation("equal_places", "at how many places a and b agree", "sum(x == y for x, y in zip(a, b))", "int"),
        Operation("larger_ones", "the list of the larger of each pair", "[max(x, y) for x, y in zip(a, b)]", "list"),
        Operation("distances", "the list of distances of pairs", "[abs(x - y) for x, y in zip(a, b)]", "list"),
        Operation("interleaved", "the list of a and b interleaved", "[z for x, y in zip(a, b) for z in (x, y)]", "list"),
    ),
    schooling=(
        Operation("joined", "a followed by b", "a + b", "list"),
        Operation("union", "the sorted numbers of a or b", "sorted(set(a) | set(b))", "list"),
        Operation("pairs_to", "how many pairs sum to 4", "sum(x + y == 4 for x in a for y in b)", "int"),
        Operation("index_pairs", "the list of positions where a exceeds b", "[i for i, (x, y) in enumerate(zip(a, b)) if x > y]", "list"),
    ),
)
