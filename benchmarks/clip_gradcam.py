"""3D Grad-CAM of clips: ours against MONAI's and captum's, on the same networks, clips and maps.

Each gives the same output: the heat of a class on the last maps, cut at 0, enlarged to the clip and divided by its
largest value. The three take turns on each batch, so that whatever else the machine does falls on all of them.
captum is no dependency of Isthmus: where it is not installed (`pip install --no-deps --target FOLDER captum`, and
FOLDER on PYTHONPATH) its columns are empty.
"""

import argparse
import importlib.util
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import tables
from isthmus.explain.gradcam import grad_cam
from isthmus.models.registry import create

NETWORKS: dict[str, tuple[dict[str, Any], str]] = {
    "r2plus1d_18": ({"width": 16}, "net.layer4"),
    "resnet18_3d": ({"width": 16}, "net.layer4"),
    "calcification_inception_resnet_v2_3d": ({"width": 8, "repeats": [2, 4, 2]}, "net.conv2d_7b"),
}
"""Options, and the module whose output is the last maps."""


class Plain(nn.Module):
    """A network as the other libraries take it: a tensor in, logits out."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits."""
        logits: Tensor = self.inner({"image": image}).logits
        return logits


def scaled(heat: Tensor) -> Tensor:
    """Return heat [N, T, H, W] divided by each clip's largest value."""
    largest = heat.flatten(1).amax(1).clamp_min(1e-12)
    return heat / largest.view(-1, 1, 1, 1)


def rivals(network: nn.Module, layer: str) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return what gives heat [N, T, H, W] of a batch [N, 1, T, H, W], by its name."""
    from monai.visualize import GradCAM

    plain = Plain(network).eval()
    monai = GradCAM(plain, target_layers=f"inner.{layer}", postprocessing=lambda heat: heat)
    found: dict[str, Callable[[Tensor], Tensor]] = {
        "Isthmus": lambda image: torch.from_numpy(grad_cam(network, {"image": image}, 1)),  # type: ignore[arg-type]
        "MONAI": lambda image: scaled(monai(image, class_idx=1).detach()[:, 0]),
    }
    if importlib.util.find_spec("captum") is not None:
        from captum.attr import LayerAttribution, LayerGradCam

        captum = LayerGradCam(plain, network.get_submodule(layer))

        def by_captum(image: Tensor) -> Tensor:
            raw = captum.attribute(image, target=1, relu_attributions=True).detach()
            size = tuple(image.shape[2:])
            return scaled(LayerAttribution.interpolate(raw, size, interpolate_mode="trilinear")[:, 0])

        found["captum"] = by_captum
    return found


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=18)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--frames", type=int, default=16)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(options.threads)
    generator = torch.Generator().manual_seed(0)
    rows = []
    for name, (chosen, layer) in NETWORKS.items():
        torch.manual_seed(0)
        network = create(name, classes=2, channels=1, **chosen).eval()
        with torch.no_grad():
            # An untrained network may have no evidence for a class, and nothing to compare then.
            last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
            last.weight[1] = last.weight[1].abs()
        shape = (options.batch, 1, options.frames, options.size, options.size)
        times: dict[str, list[float]] = {}
        apart: dict[str, float] = {}
        for turn in range(options.rounds + 1):
            image, heats = torch.rand(shape, generator=generator), {}
            contest = rivals(network, layer)
            names = list(contest)
            for rival in [*names[turn % len(names) :], *names[: turn % len(names)]]:  # each is first in its turn
                start = time.perf_counter()
                heats[rival] = contest[rival](image)
                if turn:  # the first round warms up
                    times.setdefault(rival, []).append(time.perf_counter() - start)
            if not (heats["Isthmus"].flatten(1).amax(1) == 1).all():
                raise SystemExit(f"{name}: a clip has no heat, so nothing is compared")
            for rival, heat in heats.items():
                apart[rival] = max(apart.get(rival, 0.0), float((heat - heats["Isthmus"]).abs().max()))
        row: dict[str, Any] = {"network": name}
        for rival in ("Isthmus", "MONAI", "captum"):
            known = rival in times
            row[f"{rival}, clips/s"] = options.batch / statistics.median(times[rival]) if known else "not installed"
        for rival in ("MONAI", "captum"):
            known = rival in times
            # Of each turn, not of medians: neighbours in time met the same machine.
            each = [other / own for other, own in zip(times.get(rival, []), times["Isthmus"], strict=False)]
            row[f"times as fast as {rival}"] = statistics.median(each) if known else ""
            row[f"largest difference to {rival}"] = apart[rival] if known else ""
        rows.append(row)
    import monai

    facts = {
        **vars(options),
        "networks": {key: value[0] for key, value in NETWORKS.items()},
        "monai": monai.__version__,
    }
    words = (
        "Grad-CAM of clips on the last maps at equal output (differences are of heat between 0 and 1). Isthmus "
        "differentiates the head alone and captum down to the layer; MONAI goes back through the whole network. Ratios "
        "are medians over turns."
    )
    tables.write("clip_gradcam", {**facts, **tables.machine()}, rows, words)


if __name__ == "__main__":
    main()
