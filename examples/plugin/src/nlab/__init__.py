"""What a laboratory adds to bcikit, with its public documents only."""
