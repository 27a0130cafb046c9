"""Slicer's DICOM database, `slicer.dicomDatabase`: the file of each instance, and the values in its header."""

import pydicom


class DicomDatabase:
    """A database of some files. The methods have the names and the results of ctkDICOMDatabase.

    Args:
        paths: The files.
    """

    def __init__(self, paths=()):
        headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in paths]
        self.files = {str(data.SOPInstanceUID): str(path) for data, path in zip(headers, paths, strict=True)}

    def fileForInstance(self, uid):
        """Return the path of an instance; empty if it is not known."""
        return self.files.get(uid, "")

    def instanceValue(self, uid, tag):
        """Return a value of the header of an instance as text, such as that of "0020,0011"; empty if there is none."""
        if uid not in self.files:
            return ""
        group, element = (int(part, 16) for part in tag.split(","))
        data = pydicom.dcmread(self.files[uid], stop_before_pixels=True)
        return str(data[group, element].value) if (group, element) in data else ""
