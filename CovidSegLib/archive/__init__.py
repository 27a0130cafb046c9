"""Exchange DICOM objects with an archive: send, fetch, and receive. Nothing is sent unless a destination is named."""
