"""Files that appear complete or not at all, sentences for what a disk refuses, and locks."""
