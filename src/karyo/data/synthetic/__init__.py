"""Chromosomes, cells and metaphase spreads drawn from the ideogram, with the truth about each."""

from karyo.data.synthetic.bent import draw_bent_and_unbent, spread_bend
from karyo.data.synthetic.cell import cell_members, cell_sex, draw_cell
from karyo.data.synthetic.chromosome import HOMOLOGS, DrawnChromosome, draw_chromosome
from karyo.data.synthetic.sheet import draw_sheet
from karyo.data.synthetic.source import RENDERER_VERSION, SyntheticSource, derive_seed
from karyo.data.synthetic.spread import RELATIONS, Spread, SpreadChromosome, SpreadSettings, draw_spread
from karyo.data.synthetic.style import DIFFICULTIES, CellSettings
from karyo.data.synthetic.tree import write_cells, write_spreads
from karyo.data.synthetic.voc import spread_annotation, voc_name

__all__ = [
    "DIFFICULTIES",
    "HOMOLOGS",
    "RELATIONS",
    "RENDERER_VERSION",
    "CellSettings",
    "DrawnChromosome",
    "Spread",
    "SpreadChromosome",
    "SpreadSettings",
    "SyntheticSource",
    "cell_members",
    "cell_sex",
    "derive_seed",
    "draw_bent_and_unbent",
    "draw_cell",
    "draw_chromosome",
    "draw_sheet",
    "draw_spread",
    "spread_annotation",
    "spread_bend",
    "voc_name",
    "write_cells",
    "write_spreads",
]
