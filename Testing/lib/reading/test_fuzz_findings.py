"""What the fuzzer (Testing/fuzz) has found: the smallest change to a valid CT for each finding.

All of these were read with other voxels, positions or values than an independent reader's, took minutes or gigabytes,
or ended with a traceback.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fuzz.dicom_elements import PIXEL_DATA, Element, join, split
from fuzz.dicom_streams import join_fragments, split_fragments
from fuzz.original import Original, chest_hu
from fuzz.originals import make_originals
from pydicom.datadict import tag_for_keyword

from CovidSegLib.errors import InputError
from CovidSegLib.reading import read_volume

Change = Callable[[Original], Original]


@pytest.fixture(scope="module")
def originals() -> dict[str, Original]:
    return {original.name: original for original in make_originals()}


def replaced(old: bytes, new: bytes) -> Change:
    """Replace bytes in the file that a user would name."""

    def change(original: Original) -> Original:
        content = original.files[original.target]
        assert content.count(old) == 1
        return original.with_file(original.target, content.replace(old, new))

    return change


def in_header(offset: int, value: bytes) -> Change:
    """Write bytes at an offset of the file that a user would name."""

    def change(original: Original) -> Original:
        content = bytearray(original.files[original.target])
        content[offset : offset + len(value)] = value
        return original.with_file(original.target, bytes(content))

    return change


def with_line(key: bytes, line: bytes) -> Change:
    """Replace the line of a text header that begins with a key."""

    def change(original: Original) -> Original:
        content = original.files[original.target]
        start = content.index(b"\n" + key) + 1
        return original.with_file(original.target, content[:start] + line + content[content.index(b"\n", start) :])

    return change


def with_extension(*, length: int, voxels_at: int) -> Change:
    """Insert a header extension of 16 bytes that states another length, and another offset of the voxels."""

    def change(original: Original) -> Original:
        content = original.files[original.target]
        extension = b"\1\0\0\0" + np.int32([length, 4]).tobytes() + b" " * 8
        header = content[:108] + np.float32(voxels_at).tobytes() + content[112:348]
        return original.with_file(original.target, header + extension + content[352:])

    return change


def lengthened(tail: bytes, name: bytes | None = None) -> Change:
    def change(original: Original) -> Original:
        file = name or original.target
        return original.with_file(file, original.files[file] + tail)

    return change


def with_value(keyword: str, value: bytes | None, vr: bytes = b"LO", *, twice: bool = False) -> Change:
    """Set an element in one slice, remove it (None), or add a second one."""

    def change(original: Original) -> Original:
        name = sorted(original.files)[2]
        parts = split(original.files[name])
        assert parts is not None
        tag = tag_for_keyword(keyword)
        same = [element for element in parts.elements if element.tag == tag]
        if value is None:
            parts.elements.remove(same[0])
        elif same and not twice:
            same[0].value = value
        else:
            later = [index for index, element in enumerate(parts.elements) if element.tag > tag]
            parts.elements.insert(later[0], Element(tag, same[0].vr if same else vr, value))
        return original.with_file(name, join(parts))

    return change


def in_all(keyword: str, value: bytes) -> Change:
    """Set an element in every slice."""

    def change(original: Original) -> Original:
        for name, content in original.files.items():
            parts = split(content)
            assert parts is not None
            next(element for element in parts.elements if element.tag == tag_for_keyword(keyword)).value = value
            original = original.with_file(name, join(parts))
        return original

    return change


def with_fragments(edit: Callable[[list[bytes]], None]) -> Change:
    """Change the offset table, which is the first one, or fragments of compressed pixels."""

    def change(original: Original) -> Original:
        name = sorted(original.files)[0]
        parts = split(original.files[name])
        assert parts is not None
        pixels = next(element for element in parts.elements if element.tag == PIXEL_DATA)
        found = split_fragments(pixels.value)
        assert found is not None
        edit(found[0])
        pixels.value = join_fragments(*found)
        return original.with_file(name, join(parts))

    return change


def shorten_third(fragments: list[bytes]) -> None:
    """Remove the byte of padding, so that the frames behind it begin before their offsets."""
    fragments[3] = fragments[3][:-1]


def state_no_offsets(fragments: list[bytes]) -> None:
    fragments[0] = b"\xff" * len(fragments[0])


DAMAGED, CONTRADICTS = "is damaged", "contradicts itself about how the pixels are stored"
#: The original, the change, and what the message must say.
REFUSED: dict[str, tuple[str, Change, str]] = {
    "MetaImage: bytes skipped after the header": ("mha int16", replaced(b"DimS", b"HeaderSize = 1\nDimS"), DAMAGED),
    "MetaImage: compressed size too small": (
        "mhd zlib",
        replaced(b"edDataSize = ", b"edDataSize = 1\nX = "),
        "incomplete",
    ),
    "MetaImage: compressed size in another case": (
        "mha int16 zlib",
        replaced(b"CompressedDataSize", b"compressedDataSize"),
        DAMAGED,
    ),
    "MetaImage: two positions": ("mha int16", replaced(b"Offset", b"Origin = 4 5 6\nOffset"), DAMAGED),
    "MetaImage: neither true nor false": (
        "mhd big endian",
        with_line(b"ElementByteOrderMSB", b"ElementByteOrderMSB ="),
        DAMAGED,
    ),
    "MetaImage: two byte orders": ("mhd", replaced(b"DimSize", b"ElementByteOrderMSB = True\nDimSize"), DAMAGED),
    "MetaImage: a line that is no field": ("mha int16", replaced(b"ElementSp", b"garbage\nElementSp"), DAMAGED),
    "MetaImage: control characters": ("mha int16", replaced(b"= RAI", b"= R\0I"), DAMAGED),
    "MetaImage: a zero in the name": ("mhd", replaced(b"ct.raw", b"ct\0raw"), DAMAGED),
    "MetaImage: a fourth spacing": ("mha int16", replaced(b" 1.25 4\n", b" 1.25 4 1\n"), DAMAGED),
    "MetaImage: a position of no numbers": ("mha int16", with_line(b"Offset", b"Offset ="), DAMAGED),
    "MetaImage: an orientation of eight numbers": (
        "mha int16",
        with_line(b"TransformMatrix", b"TransformMatrix = 1 0 0 0 1 0 0 0"),
        DAMAGED,
    ),
    "MetaImage: more voxels": ("mha int16", lengthened(b"\0\0"), "more data than its header says"),
    "MetaImage: more voxels in the data file": (
        "mhd",
        lengthened(b"\0\0", b"ct.raw"),
        "more data than its header says",
    ),
    "MetaImage: a negative number of bytes skipped": (
        "mhd big endian",
        with_line(b"HeaderSize", b"HeaderSize = -10"),
        DAMAGED,
    ),
    "NRRD: a negative number of bytes skipped": ("nhdr byte skip", with_line(b"byte skip", b"byte skip: -2"), DAMAGED),
    "NRRD: more voxels": ("nrrd int16", lengthened(b"\0\0"), "more data than its header says"),
    "NRRD: a field twice": ("nrrd int16", replaced(b"endian: little", b"endian: little\nendian: big"), DAMAGED),
    "NRRD: escape sequence in the encoding": ("nrrd int16", replaced(b": raw", b": \x1b[31m"), DAMAGED),
    "NIfTI: signature": ("nifti int16", in_header(347, b"\1"), DAMAGED),
    "NIfTI: an extension that reaches into the voxels": (
        "nifti int16",
        with_extension(length=32, voxels_at=368),
        "contradicts itself about where its voxels begin",
    ),
    "NIfTI: an extension of no length": (
        "nifti int16",
        with_extension(length=0, voxels_at=368),
        "contradicts itself about where its voxels begin",
    ),
    "NIfTI: a quaternion that is too long": (
        "nifti quaternion",
        in_header(256, np.float32(540).tobytes()),
        "orientation .* is not valid",
    ),
    "NIfTI: an intercept without a slope": (
        "nifti scaled",
        in_header(112, np.float32(0).tobytes()),
        "rescaling .* cannot be right",
    ),
    "NIfTI: slope of 1e-30": (
        "nifti int16",
        in_header(112, np.float32(1e-30).tobytes()),
        "rescaling .* cannot be right",
    ),
    "NIfTI: a matrix that is not that of the quaternion": (
        "nifti int16",
        in_header(280, np.float32([1.2, 0.9]).tobytes()),
        "two different|not at right angles",
    ),
    "DICOM: underscores in numbers": ("dicom", with_value("RescaleIntercept", b"-1_024 "), DAMAGED),
    "DICOM: slope without intercept": ("dicom", with_value("RescaleIntercept", None), "only a part of the rescaling"),
    "DICOM: bits stored": ("dicom", with_value("BitsStored", b"\xff\0"), CONTRADICTS),
    "DICOM: high bit": ("dicom", with_value("HighBit", b"\7\0"), CONTRADICTS),
    "DICOM: sign": ("dicom", with_value("PixelRepresentation", b"\x08\0"), CONTRADICTS),
    "DICOM: no samples per pixel": ("dicom", with_value("SamplesPerPixel", None), CONTRADICTS),
    "DICOM: unknown interpretation": ("dicom", with_value("PhotometricInterpretation", b"OD"), CONTRADICTS),
    "DICOM: one slice that is not of a CT": ("dicom", with_value("Modality", b"MR"), "contains MR images and no CT"),
    "DICOM: one slice that is not in HU": (
        "dicom",
        with_value("RescaleType", b"Z_EFF "),
        "but Z_EFF",
    ),
    "DICOM: one slice without a kind": (
        "dicom axial",
        with_value("SOPClassUID", b"1.2.840.10008.5.1.4.1.1.2\0.2\0.2\0"),
        "1 images of the series do not state that they are CT slices",
    ),
    "DICOM: two kinds of pixels": ("dicom", with_value("FloatPixelData", b"\0" * 4, b"OF"), CONTRADICTS),
    "DICOM: an element twice": ("dicom", with_value("RescaleSlope", b"2 ", twice=True), DAMAGED),
    "DICOM: a fraction of a frame": ("dicom", with_value("NumberOfFrames", b"1.5 ", b"IS"), DAMAGED),
    "DICOM: absurd position": ("dicom", with_value("ImagePositionPatient", b"-1e300\\0\\0 "), "do not state where"),
    "DICOM: elements after the pixels that need gigabytes": (
        "dicom",
        lengthened(b"\xe0\x7f\x20\0OB\0\0\xff\xff\xff\x7f", b"02.dcm"),
        DAMAGED,
    ),
    "DICOM: a JPEG stream of another size": ("dicom jpeg-ls", in_all("Columns", b"\x0f\0"), "pixels .* are damaged"),
    "DICOM: frames that are not at their offsets": (
        "dicom enhanced jpeg-ls",
        with_fragments(shorten_third),
        "pixels .* are damaged",
    ),
    "DICOM: offsets beyond the end": ("dicom enhanced rle", with_fragments(state_no_offsets), "pixels .* are damaged"),
    "DICOM: runs that are too short": ("dicom rle", in_all("Rows", b"\x13\0"), "pixels .* are damaged"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name: str, originals: dict[str, Original], tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    original, change, message = REFUSED[name]
    path = change(originals[original]).write(tmp_path / "in")
    with pytest.raises(InputError, match=message) as caught:
        read_volume(path)
    assert str(caught.value).isprintable()
    assert capfd.readouterr() == ("", "")


def test_every_original_is_read(originals: dict[str, Original], tmp_path: Path) -> None:
    for name, original in originals.items():
        array = read_volume(original.write(tmp_path / name)).array
        expected = chest_hu() + (1024 if name == "nrrd uint16 gzip" else 0.25 if "float" in name else 0)
        expected = expected / 2 - 100 if name == "nifti scaled" else expected
        np.testing.assert_array_equal(array, expected, err_msg=name)


def test_slices_in_several_encodings(originals: dict[str, Original], tmp_path: Path) -> None:
    """Each file is checked and decoded by its own transfer syntax, whichever comes first."""
    encodings = ["dicom rle", "dicom", "dicom jpeg-ls", "dicom big endian", "dicom implicit", "dicom deflated"]
    for turn in range(2):
        for index, encoding in enumerate(encodings[turn:] + encodings[:turn]):
            name = b"%02d.dcm" % index
            (tmp_path / name.decode()).write_bytes(originals[encoding].files[name])
        np.testing.assert_array_equal(read_volume(tmp_path).array, chest_hu())


def test_streams_are_checked_behind_a_file_without_any(originals: dict[str, Original], tmp_path: Path) -> None:
    files = in_all("Columns", b"\x0f\0")(originals["dicom jpeg-ls"]).files
    first = in_all("Columns", b"\x0f\0")(originals["dicom"]).files[b"00.dcm"]
    parts = split(first)
    assert parts is not None
    parts.elements[-1].value = b"\0" * (18 * 15 * 2)
    for name, content in {**files, b"00.dcm": join(parts)}.items():
        (tmp_path / name.decode()).write_bytes(content)
    with pytest.raises(InputError, match=r"pixels .* are damaged"):
        read_volume(tmp_path)


def test_pixels_of_an_unknown_representation_are_refused(originals: dict[str, Original], tmp_path: Path) -> None:
    path = originals["dicom"].write(tmp_path)
    damaged = next(tmp_path.rglob("04.dcm"))
    content = damaged.read_bytes()
    assert content.count(b"\xe0\x7f\x10\0OW") == 1
    damaged.write_bytes(content.replace(b"\xe0\x7f\x10\0OW", b"\xe0\x7f\x10\0Ow"))
    with pytest.raises(InputError, match=r'"04\.dcm" is damaged'):
        read_volume(path)


def test_one_lossy_slice_is_reported(originals: dict[str, Original], tmp_path: Path) -> None:
    path = with_value("LossyImageCompression", b"01", b"CS")(originals["dicom"]).write(tmp_path)
    assert any("lossy" in warning for warning in read_volume(path).warnings)


def test_an_unknown_character_set_is_no_matter(originals: dict[str, Original], tmp_path: Path) -> None:
    """pydicom would print a warning."""
    path = with_value("SpecificCharacterSet", b"no such ", b"CS")(originals["dicom rle"]).write(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(read_volume(path).array, chest_hu())


def test_a_slice_named_like_an_index_of_media_is_not_skipped(originals: dict[str, Original], tmp_path: Path) -> None:
    """A missing slice at the end of a scan would not be noticed."""
    files = dict(originals["dicom"].files)
    files[b"DICOMDIR"] = files.pop(b"05.dcm")
    for name, content in files.items():
        (tmp_path / name.decode()).write_bytes(content)
    assert len(read_volume(tmp_path).array) == 6


def test_a_float_that_float32_cannot_hold(originals: dict[str, Original], tmp_path: Path) -> None:
    original = originals["nifti float64"]
    content = bytearray(original.files[original.target])
    content[352:360] = np.float64(1e300).tobytes()
    path = original.with_file(original.target, bytes(content)).write(tmp_path)
    assert read_volume(path).array.max() == 32767


def test_compressed_voxels_that_fill_the_last_chunk(tmp_path: Path) -> None:
    """zlib may hold back the end of a chunk after it has consumed all its input."""
    import SimpleITK as sitk

    array = np.full((20, 64, 64), -1000, np.int16)
    array[:, 20:40] = 40
    sitk.WriteImage(sitk.GetImageFromArray(array), tmp_path / "ct.mha", True)
    np.testing.assert_array_equal(read_volume(tmp_path / "ct.mha").array, array)
