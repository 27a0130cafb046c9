"""Headers of image files, read before ITK reads the voxels.

ITK and the libraries inside it trust a header: they fill missing voxels with whatever is in memory, take a missing
spacing for 1 mm, open other files that a header names, and pass parts of it to `printf`. So each header is parsed here
first, and ITK reads only files that are complete and say all that a CT needs.
"""

from .header import DamagedHeader, ImageHeader
from .metaimage import read_metaimage_header
from .nifti import read_nifti_header
from .nrrd import read_nrrd_header

__all__ = ["DamagedHeader", "ImageHeader", "read_metaimage_header", "read_nifti_header", "read_nrrd_header"]
