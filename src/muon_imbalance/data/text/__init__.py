"""Data sets of text, one builder a file; tokenizer, buckets and grammars."""
