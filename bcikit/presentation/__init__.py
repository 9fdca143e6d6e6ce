"""What a person sees and hears: scenes drawn by Qt and by the browser page, flips stamped, timing measured."""
