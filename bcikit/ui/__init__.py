"""What windows share: theme, words, strip, status, head map, tables."""
