"""What leaves the computer with a person: a report as HTML and PDF, and a viewer in one file.

Everything is written for files that are opened without network: pictures, styles and programs are inside them. The
entry point is `files.write_report`. Importing this package loads nothing, because 3D Slicer imports `review` and
`rows`.
"""
