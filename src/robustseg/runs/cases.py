"""Which test images of a run belong to one case."""

from robustseg.runs.folder import RunFolder


def cases_of(folder: RunFolder) -> dict[str, str]:
    """The case (patient, slide) of each test image, by the image's id.

    Returns:
        What split.csv has of it; empty if no two test images belong to one case, or the run has no
        such file.

    Raises:
        OSError: it cannot be read.
        DamagedFile: it holds something else, or its hash is not that of the run's status.
    """
    if not folder.has(folder.split):
        return {}
    rows = folder.read_rows(folder.split)
    cases = {
        str(row["id"]): str(row["case"])
        for row in rows
        if row.get("split") == "test" and "id" in row and "case" in row
    }
    return cases if len(set(cases.values())) < len(cases) else {}
