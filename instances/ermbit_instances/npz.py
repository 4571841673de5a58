"""Reading numeric arrays from NPZ archives without trusting them.

The header of an array inside the archive says its size; it is checked before anything is
unpacked, so a small archive that would unpack to gigabytes is refused. Object arrays (pickles) are
never loaded.
"""

from __future__ import annotations

import lzma
import stat
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

from ermbit_instances import limits
from ermbit_instances.errors import InputError
from ermbit_instances.json_node import Node
from ermbit_instances.table import Table

if TYPE_CHECKING:
    import numpy as np


def read_npz_arrays(
    path: Path, keys: list[str] | None, place: Node
) -> dict[str, np.ndarray[Any, Any]]:
    """The named arrays of an archive (all of them for ``None``).

    Integer, Boolean and floating-point arrays only; the caller checks shape and finiteness.

    Raises:
        InputError: at ``place``: not an archive, a missing key, another type, past a limit.
    """
    import numpy as np

    # Where the place is the archive itself, its name stands in front already.
    said = "" if place.file == str(path) else f"{path.name}: "
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            place.fail(f"{said}not a regular file")
        if status.st_size > 2 * limits.ARRAY_BYTES.value:
            place.refuse(f"{said}past the limit of {2 * limits.ARRAY_BYTES.value} bytes")
        # zipfile reads the directory at the end of the file, not the whole file.
        with zipfile.ZipFile(path) as archive:
            members: dict[str, zipfile.ZipInfo] = {}
            for info in archive.infolist():
                key = info.filename.removesuffix(".npy")
                if key in members:
                    place.fail(f"{said}two arrays have the name {key!r}")
                members[key] = info
            result = {}
            for key in sorted(members) if keys is None else keys:
                if key not in members:
                    known = ", ".join(sorted(members)[:10])
                    place.fail(f"{said}there is no array {key!r}, but {known}")
                info = members[key]
                if info.file_size > limits.ARRAY_BYTES.value:
                    place.refuse(
                        f"{said}array {key!r} of {info.file_size} bytes is past the "
                        f"limit of {limits.ARRAY_BYTES.value}"
                    )
                with archive.open(info) as stream:
                    version = np.lib.format.read_magic(stream)
                    read_header = (
                        np.lib.format.read_array_header_1_0
                        if version == (1, 0)
                        else np.lib.format.read_array_header_2_0
                    )
                    shape, _, dtype = read_header(stream)
                entries = 1
                for extent in shape:
                    entries *= extent
                if dtype.kind not in "biuf" or dtype.itemsize > 8:
                    place.fail(f"{said}array {key!r} has type {dtype}, not numbers")
                if entries > limits.ENTRIES.value or entries * dtype.itemsize > info.file_size:
                    place.refuse(f"{said}array {key!r} is past the limits")
                with archive.open(info) as stream:
                    result[key] = np.lib.format.read_array(stream, allow_pickle=False)
            return result
    except (
        OSError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        ValueError,
        EOFError,
        KeyError,
        RuntimeError,
    ) as error:
        if isinstance(error, InputError):
            raise
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        place.fail(f"{said}{reason.splitlines()[0][:200]}")
    except (SyntaxError, TokenError):  # NumPy reads headers as Python
        place.fail(f"{said}the header of an array is not readable")
    except MemoryError:
        place.refuse(f"{said}too large for the memory at hand")


def read_npz_table(path: Path, key: Node, place: Node) -> Table:
    """One array as a table; a vector counts as a single column."""
    import numpy as np

    array = read_npz_arrays(path, [key.string()], place)[key.string()]
    if array.ndim == 1:
        array = array.reshape(-1, 1)
    if array.ndim != 2:
        key.fail(f"the array has {array.ndim} dimensions, 2 are needed")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        key.fail("the array holds NaN or infinities")
    return Table(array=array)
