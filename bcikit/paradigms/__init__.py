"""Trial timelines and what a decision does; outputs."""
