"""MRML helpers: nodes, CT volumes, segmentations, tables and provenance.

Nothing here needs the running application, so everything can be tested with the MRML libraries alone.
"""
