"""What hypotheses read a text with: words and sentences, brackets, HTML tags, vowels and n-grams."""
