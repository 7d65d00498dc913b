"""``karyo crop``: whole spreads with boxes to one picture per chromosome."""

from pathlib import Path
from typing import Annotated

import typer


def crop(
    images: Annotated[Path, typer.Argument(help="Folder of the spreads' images.")],
    annotations: Annotated[Path, typer.Argument(help="Folder of their Pascal VOC files, named like the images.")],
    out: Annotated[Path, typer.Argument(help="Folder to write: OUT/<class>/<image>_<n>.png and OUT/index.csv.")],
    margin: Annotated[int, typer.Option(help="Pixels to add around each box.")] = 2,
    mask: Annotated[
        str, typer.Option(help="object paints over neighbours that reach into a box; none leaves them.")
    ] = "object",
    workers: Annotated[
        int | None, typer.Option(help="Processes; one per core if not given.", show_default=False)
    ] = None,
) -> None:
    """Cut the chromosomes of annotated spreads out, one PNG each; `data=crops data.root=OUT` trains on them.

    Stopped half-way, the same command goes on where it was.
    """
    from karyo.commands.filling import print_totals, stoppable
    from karyo.data.parallel import check_workers
    from karyo.data.spreads.export import export_crops

    with stoppable(out):
        totals = export_crops(images, annotations, out, margin, mask, check_workers(workers))
    print_totals(totals, "spreads", out)
