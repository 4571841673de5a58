"""Generated instances as files, the same bytes every time.

Keys keep the order in which the families build them; rows stay on one line; the file ends with a
newline (:func:`ermbit_instances.jsonfile.dump_json`).
"""

from __future__ import annotations

import os
from pathlib import Path

from ermbit_instances.families.family import Generated
from ermbit_instances.files import write_text
from ermbit_instances.jsonfile import dump_json


def write(generated: Generated, directory: str | os.PathLike[str]) -> tuple[Path, ...]:
    """Write NAME.erm.json and, with a certificate, NAME.cert.json; return their paths.

    NAME is the document's name. Each file appears whole or not at all, and the certificate is
    written first, so an instance that is there never waits for its certificate. The directory is
    made if missing. Raises MissingFileError or OSError where the file system refuses.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    name = generated.document["name"]
    instance = folder / f"{name}.erm.json"
    paths = [instance]
    if generated.certificate is not None:
        certificate = folder / f"{name}.cert.json"
        write_text(certificate, dump_json(generated.certificate))
        paths.append(certificate)
    write_text(instance, dump_json(generated.document))
    return tuple(paths)
