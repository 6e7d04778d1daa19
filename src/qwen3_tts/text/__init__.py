"""What a text becomes before it is spoken: markup, numbers, languages, sentences. Strings only."""
