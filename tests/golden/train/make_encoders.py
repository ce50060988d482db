"""Writes encoders.json: what torchvision's DenseNet-121, ResNet-18, Swin-T and Swin-B, timm's ViT-B/16 and
efficientnet_lite_pytorch's Lite0 say, and twin.json: what benches/torch_twin.py says, with weights of formula.py. Run
with torch, torchvision, timm and efficientnet_lite_pytorch installed:  python make_encoders.py

Lite0 at sizes that 32 divides: at others the package drops or keeps a border pixel by the size it was built for.
Swin at sizes that 4 divides: at others torchvision leaves out what does not fill a patch, which ours pads. Its networks
are made anew for each size: at a feature smaller than a window some versions stop shifting windows for good.
ViT at others too, padded as Segmenter pads; and with positions resized as Segmenter resizes them, bilinearly.
"""
import json
import sys
import warnings
from pathlib import Path

import torch
from formula import fill, image, sample

warnings.filterwarnings("ignore")


def densenet(size):
    import torchvision

    net = torchvision.models.densenet121(weights=None).eval()
    names = fill(net)
    f, x, features = net.features, torch.from_numpy(image(*size)), []
    with torch.no_grad():
        x = f.pool0(f.relu0(f.norm0(f.conv0(x))))
        for i in (1, 2, 3, 4):
            x = getattr(f, f"denseblock{i}")(x)
            features.append(sample(x if i < 4 else f.norm5(x)))
            if i < 4:
                x = getattr(f, f"transition{i}")(x)
    return names, features


def lite0(size):
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0").eval()
    names = fill(net)
    x, features = torch.from_numpy(image(*size)), []
    with torch.no_grad():
        x = net._swish(net._bn0(net._conv_stem(x)))  # ReLU6, in spite of its name
        for i, block in enumerate(net._blocks):
            x = block(x)
            if i in (2, 4, 10, 15):
                features.append(sample(x))
    return names, features


def resnet18(size):
    import torchvision

    net = torchvision.models.resnet18(weights=None).eval()
    names = fill(net)
    features = []
    with torch.no_grad():
        x = net.maxpool(net.relu(net.bn1(net.conv1(torch.from_numpy(image(*size))))))
        for stage in (net.layer1, net.layer2, net.layer3, net.layer4):
            x = stage(x)
            features.append(sample(x))
    return names, features


def swin(name):
    def run(size):
        import torchvision

        net = getattr(torchvision.models, name)(weights=None).eval()
        names = fill(net)
        x, features = torch.from_numpy(image(*size)), []
        with torch.no_grad():
            for i, part in enumerate(net.features):
                x = part(x)
                if i in (1, 3, 5, 7):
                    features.append(sample(x.permute(0, 3, 1, 2).contiguous()))
        return names, features

    return run


def vit_b16(size):
    import timm
    import torch.nn.functional as F

    net = timm.create_model("vit_base_patch16_384", pretrained=False).eval()
    names = fill(net)
    height, width = size
    with torch.no_grad():
        x = F.pad(torch.from_numpy(image(*size)), (0, -width % 16, 0, -height % 16))
        x = net.patch_embed.proj(x)
        token, grid = net.pos_embed[:, :1], net.pos_embed[:, 1:]
        grid = grid.transpose(1, 2).reshape(1, -1, 24, 24)
        grid = F.interpolate(grid, size=x.shape[2:], mode="bilinear", align_corners=False)
        shape = x.shape
        x = (x + grid).flatten(2).transpose(1, 2)
        x = net.norm(net.blocks(torch.cat([net.cls_token + token, x], dim=1)))
        x = x[:, 1:].transpose(1, 2).reshape(shape)
    return names, [sample(x)]


def twin(size):
    sys.path.insert(0, str(Path(__file__).parents[3] / "benches"))
    from torch_twin import Net

    net = Net(11, 96).eval()
    fill(net)
    with torch.no_grad():
        outputs = net(torch.from_numpy(image(*size)))
    return dict(zip(("pre_logits", "logits", "dataset_logits"), map(sample, outputs)))


if __name__ == "__main__":
    with open("twin.json", "w") as f:
        cases = [{"height": h, "width": w, **twin((h, w))} for h, w in [(64, 64), (75, 101), (352, 352)]]
        f.write("[\n" + ",\n".join(" " + json.dumps(c) for c in cases) + "\n]\n")
    golden = {}
    for name, run, sizes in [
        ("ldn-121", densenet, [(64, 64), (75, 101)]),
        ("lite0", lite0, [(64, 64), (96, 160)]),
        ("resnet18", resnet18, [(64, 64), (75, 101)]),
        ("upernet-swin-t", swin("swin_t"), [(64, 64), (76, 132), (224, 224)]),
        ("upernet-swin-b", swin("swin_b"), [(76, 132)]),
        ("segmenter-vit-b16", vit_b16, [(64, 64), (75, 101)]),
    ]:
        names, cases = None, []
        for size in sizes:
            names, features = run(size)
            cases.append({"height": size[0], "width": size[1], "features": features})
        golden[name] = {"names": names, "cases": cases}
    with open("encoders.json", "w") as f:
        f.write("{\n")
        for i, (name, g) in enumerate(golden.items()):
            f.write(f' "{name}": {{\n  "names": [\n')
            f.write(",\n".join("   " + json.dumps(n) for n in g["names"]))
            f.write('\n  ],\n  "cases": [\n')
            f.write(",\n".join("   " + json.dumps(c) for c in g["cases"]))
            f.write("\n  ]\n }" + ("," if i + 1 < len(golden) else "") + "\n")
        f.write("}\n")
