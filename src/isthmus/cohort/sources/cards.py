"""The public data sets that can be imported: what each holds, where its owners give it out, on which terms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class DataSet:
    """One public data set.

    Parameters
    ----------
    name : str
        On the command line.
    title : str
        As its authors call it.
    what : str
        What it holds and what its labels are, in a sentence.
    layout : str
        What the folder to import holds.
    where : str
        Page of its owners.
    terms : str
        Licence or conditions, as its owners state them; 'see the page' where they state none that is certain.
    citation : str
        What a paper that uses it cites.
    reader : str
        ``module:function`` with ``(source, destination, progress)``.
    """

    name: str
    title: str
    what: str
    layout: str
    where: str
    terms: str
    citation: str
    reader: str


_HERE: Final = "isthmus.cohort.sources"

_CARDS: Final = (
    DataSet(
        "ddti",
        "DDTI",
        "480 pictures of 390 cases with outlines and TI-RADS grades (no pathology)",
        "N.xml and N_M.jpg, all in one folder",
        "http://cimalab.intec.co/applications/thyroid/",
        "called open access by its authors; no licence text",
        "Pedraza L, Vargas C, Narvaez F, Duran O, Munoz E, Romero E. An open access thyroid ultrasound image database. "
        "Proc SPIE 9287, 2015. doi:10.1117/12.2073532",
        f"{_HERE}.ddti:import_ddti",
    ),
    DataSet(
        "tn3k",
        "TN3K",
        "3,493 pictures with outlines, benign or malignant; train and test as published; no patient ids",
        "trainval-image/, trainval-mask/, test-image/, test-mask/, label4trainval.csv, label4test.csv",
        "https://github.com/haifangong/TRFE-Net-for-thyroid-nodule-segmentation (pictures, outlines); "
        "https://github.com/chenghui-666/ACL (with labels)",
        "for research; see the pages",
        "Gong H, Chen J, Chen G, Li H, Li G, Chen F. Thyroid region prior guided attention for ultrasound segmentation "
        "of thyroid nodules. Comput Biol Med 155:106389, 2023. Labels: arXiv:2207.00807",
        f"{_HERE}.tn3k:import_tn3k",
    ),
    DataSet(
        "tn5000",
        "TN5000",
        "5,000 pictures with boxes, benign or malignant by biopsy; train, val and test as published; no patient ids",
        "JPEGImages/, Annotations/, ImageSets/Main/ (the folder TN5000_forReview)",
        "https://doi.org/10.6084/m9.figshare.28455641",
        "see the page",
        "Zhang H, Liu Q, Han X, Niu L, Sun W. TN5000: an ultrasound image dataset for thyroid nodule detection and "
        "classification. Sci Data, 2025. Data: doi:10.6084/m9.figshare.28455641",
        f"{_HERE}.tn5000:import_tn5000",
    ),
    DataSet(
        "tnscui",
        "TN-SCUI 2020",
        "3,644 pictures with outlines, benign or malignant (the challenge's training part); no patient ids",
        "image/, mask/, train.csv",
        "https://tn-scui2020.grand-challenge.org/Dataset/",
        "given to participants of the challenge; see the page",
        "Zhou J et al. Thyroid nodule segmentation and classification in ultrasound images (TN-SCUI 2020). Challenge, "
        "MICCAI 2020. doi:10.5281/zenodo.3715942",
        f"{_HERE}.tnscui:import_tnscui",
    ),
    DataSet(
        "thyroidxl",
        "ThyroidXL",
        "11,635 pictures of 4,093 patients with outlines, cytology or histology; parts as published, by patient",
        "train/, test/ (images, masks), stats/",
        "https://huggingface.co/datasets/VNPT-AI/ThyroidXL",
        "access on request; see the page",
        "Duong VH, Vu H, Phan HD, et al. ThyroidXL: advancing thyroid nodule diagnosis with an expert-labeled, "
        "pathology-validated dataset. MICCAI 2025. doi:10.1007/978-3-032-05182-0_60",
        f"{_HERE}.thyroidxl:import_thyroidxl",
    ),
    DataSet(
        "auitd",
        "AUITD",
        "pictures by class without outlines or patient ids; for trying things out only",
        "train/, test/ with Benign, Malignant, normal thyroid",
        "https://www.kaggle.com/datasets/azouzmaroua/algeria-ultrasound-images-thyroid-dataset-auitd",
        "see the page",
        "Azouz M. Algeria ultrasound images thyroid dataset (AUITD). Kaggle.",
        f"{_HERE}.auitd:import_auitd",
    ),
    DataSet(
        "stanford-cine",
        "Stanford Thyroid Ultrasound Cine-clip",
        "192 cine clips of nodules of 167 patients with an outline in every frame, TI-RADS descriptors and biopsy",
        "dataset.hdf5, metadata.csv",
        "https://aimi.stanford.edu/datasets/thyroid-ultrasound-cine-clip",
        "after registration; non-commercial research, not to be passed on; see the page",
        "Yamashita R, Kapoor T, Alam MN, et al. Toward reduction in false-positive thyroid nodule biopsies with a deep "
        "learning-based risk stratification system using US cine-clip images. Radiol Artif Intell 4(3):e210174, 2022. "
        "Data: doi:10.71718/7m5n-rh16",
        f"{_HERE}.stanford_cine:import_stanford_cine",
    ),
)

DATA_SETS: Final[Mapping[str, DataSet]] = {card.name: card for card in _CARDS}
"""Every public data set with a reader, by its name on the command line."""


def data_set_lines() -> list[str]:
    """Return, in Markdown, what each data set holds, what its folder must hold, where to get it, and its terms."""
    return [
        f"`{card.name}`: {card.title}, {card.what}. Folder: {card.layout}. From: {card.where}. Terms: {card.terms}."
        for card in DATA_SETS.values()
    ]
