"""What a report says of each arm: its network, where its weights began, or what it joins."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isthmus.files import read_json
from isthmus.models.mean_head import MEAN
from isthmus.models.registry import cards
from isthmus.protocol.descriptors import descriptor_sentences
from isthmus.protocol.fits import fit_folder
from isthmus.protocol.schema import Protocol
from isthmus.report.clinical_terms import CLINICAL, CLINICAL_TITLE
from isthmus.report.context import ArmFacts
from isthmus.report.reading import listed
from isthmus.training.fusion_classifiers import CLASSIFIERS
from isthmus.training.spec import FitSpec


def all_arm_facts(
    protocol: Protocol, fits: Sequence[FitSpec], folder: Path, evidence: Mapping[str, Any]
) -> dict[str, ArmFacts]:
    """Return the facts of all arms, fusions and the clinical model, in this order.

    Parameters
    ----------
    protocol : Protocol
        With one network an arm.
    fits : sequence of FitSpec
        Finished fits, in `folder`.
    evidence : mapping
        Holds the clinical model where there is one.
    """
    found = {key: _arm_facts(protocol, key, fits, folder) for key in protocol.arms}
    found |= {key: _fusion_facts(protocol, key) for key in protocol.fusions}
    return found | ({CLINICAL: _clinical_facts(evidence)} if protocol.clinical else {})


def _arm_facts(protocol: Protocol, key: str, fits: Sequence[FitSpec], folder: Path) -> ArmFacts:
    arm = protocol.arms[key]
    first = next(fit for fit in fits if fit.arm == key)
    done = read_json(fit_folder(folder, first) / "done.json", name="fit-done")
    known = cards().get(arm.network)
    weights = done.get("weights")
    return ArmFacts(
        title=arm.title or key,
        network=first.candidate,
        parameters_millions=round(done["parameters"] / 1e6, 2),
        weights=weights["name"] if weights else "none (random initialisation)",
        description=known.summary if known else "a network of the user's own",
        descriptors=descriptor_sentences(protocol, fits).get(key, ""),
    )


def _fusion_facts(protocol: Protocol, key: str) -> ArmFacts:
    fusion, (classifier,) = protocol.fusions[key], protocol.fusions[key].candidates
    members = listed([protocol.title_of(arm) for arm in fusion.fuse])
    if fusion.settings.join == MEAN:
        return ArmFacts(
            title=fusion.title or key,
            network=f"mean of {len(fusion.fuse)} networks",
            weights="those of its members",
            description=f"the mean of the log odds of {members}, of those that a case has; nothing is fitted",
        )
    joined = "the embeddings" if fusion.settings.join == "embeddings" else "the log odds"
    more = [f"{listed(fusion.columns)} of the tables"] if fusion.columns else []
    more += ["the measured perfusion of its contrast-enhanced clips"] if fusion.perfusion else []
    columns = f", with {' and '.join(more)}" if more else ""
    learnt = (
        "its head learnt only from patients that its networks never saw (cross-fitting: networks of one half of the "
        "training patients, head of the other, and the reverse; the mean of both)"
        if fusion.settings.mode == "cross_fit"
        else "its head learnt from the very patients that its networks were trained on, as published: in-sample"
    )
    return ArmFacts(
        title=fusion.title or key,
        network=f"{classifier} on {len(fusion.fuse)} networks",
        weights="those of its members",
        description=f"joins {joined} of {members}{columns}; {learnt}; ends in {CLASSIFIERS[classifier].title}",
    )


def _clinical_facts(evidence: Mapping[str, Any]) -> ArmFacts:
    model = evidence["clinical_model"]["model"]
    names = listed([term["title"] for term in model["terms"]])
    return ArmFacts(
        title=CLINICAL_TITLE, network="logistic", weights="none", description=f"{model['method']}; on {names}"
    )
