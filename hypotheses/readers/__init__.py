"""Readers that several hypotheses share: of words and sentences, brackets, HTML tags, vowels and n-grams."""
