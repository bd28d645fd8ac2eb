"""What `isthmus predict` may be given: its arguments and options with their help."""

from pathlib import Path
from typing import Annotated

import typer

BundleArgument = Annotated[Path, typer.Argument(help="Bundle folder: RUN/arms/ARM/bundle, of an arm or a fusion.")]
InputsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        help="Pictures, or clips for a model of clips; or folders of them. Of one case of a model of several "
        "arms or modalities MODALITY=FILE each; several files of a modality are averaged."
    ),
]
BoxOption = Annotated[
    list[str] | None,
    typer.Option("--box", help="Lesion box [MODALITY=]x0,y0,x1,y1 in the picture's pixels; once a file."),
]
MaskOption = Annotated[
    list[str] | None,
    typer.Option("--mask", help="Lesion mask [MODALITY=]FILE of the same size; of a clip a page a frame."),
]
ScanAreaOption = Annotated[
    list[str] | None,
    typer.Option("--scan-area", help="Where the ultrasound picture lies, [MODALITY=]x0,y0,x1,y1; else found."),
]
ColumnOption = Annotated[
    list[str] | None,
    typer.Option("--column", help="What is known of the case, NAME=VALUE, for fused models with such columns."),
]
CasesOption = Annotated[
    Path | None,
    typer.Option(
        "--cases",
        help="CSV of cases in the place of files: case_id, modality, path, mask, box, scan_area, frame_rate_hz; "
        "nodule_id where a patient has several; other columns are known of the case. A row a file.",
    ),
]
LocaliserOption = Annotated[
    Path | None,
    typer.Option("--localiser", help="Localiser folder: proposes the region of pictures that nobody outlined."),
]
FrameRateOption = Annotated[
    float | None,
    typer.Option("--frame-rate", min=0.1, help="Frames a second of clips whose files do not say, such as folders."),
]
NetworkOption = Annotated[
    list[str] | None,
    typer.Option("--network", help="The Python file of a bundle's own network, [MEMBER=]FILE; never run unasked."),
]
ExplainOption = Annotated[
    bool,
    typer.Option(
        "--explain", help="Add a Grad-CAM overlay for each picture; of fused models what each member brought, too."
    ),
]
DicomOption = Annotated[
    bool,
    typer.Option(
        "--dicom",
        help="Also write DICOM objects of the pictures' own study into DIR/dicom: report (TID 1500), captures with "
        "the heat map, regions. They name the patient, as the pictures do. Inputs must be DICOM.",
    ),
]
