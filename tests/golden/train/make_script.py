"""Writes script.pt, a closed-set segmenter as its user would bring it (TorchScript, pre-logits and logits), and
script_single.pt, one that returns logits alone. Prints what src/train/model/script.rs expects of script.pt.
Run with torch installed:  python make_script.py"""
import torch
from formula import fill
from torch import nn


class Segmenter(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2, 1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 8, 3, 2, 1),
        )
        self.classifier = nn.Conv2d(8, 3, 1)

    def forward(self, images):
        pre_logits = self.trunk(images)
        return pre_logits, self.classifier(torch.relu(pre_logits))


class Single(nn.Module):
    def __init__(self, net: Segmenter):
        super().__init__()
        self.net = net

    def forward(self, images):
        return self.net(images)[1]


net = Segmenter()
fill(net)
torch.jit.script(net).save("script.pt")
torch.jit.script(Single(net)).save("script_single.pt")
image = (torch.arange(2 * 3 * 32 * 48, dtype=torch.float32) * 0.7).sin().reshape(2, 3, 32, 48)
print(net.eval()(image)[1].abs().double().sum().item())
