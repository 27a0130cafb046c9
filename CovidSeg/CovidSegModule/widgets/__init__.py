"""The panel and its sections. Only the files in this folder may import `qt` or `ctk`."""
