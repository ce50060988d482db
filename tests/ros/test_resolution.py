"""The input size follows the load: down at once, up when the load has gone, the threshold with it."""

from fake import start_fake
from images import assert_bands, bands, fresh_header, rgb8
from peer import LATCHED

# A run takes 100 ms at the larger size and 25 ms at the smaller, times the load.
LARGE, SMALL = (48, -0.5), (24, -0.25)


def test_down_with_a_load_and_up_again(start, tmp_path):
    load = tmp_path / "load"
    load.write_text("1")
    peer = start_fake(start, {"input_size": "auto", "latency_budget_ms": 250.0}, delay_ms=100, load=load)
    peer.until_connected("labels", "frame_status", "debug/input_height")
    heights, infos = peer.hear("debug/input_height"), peer.hear("label_info", qos=LATCHED)
    send = lambda: peer.camera.publish(rgb8(bands(), header=fresh_header()))

    def settle(at, changes, doing):
        """Until results come at that size, and everything that names it says the same."""
        height, threshold = at
        heights.clear()
        peer.until(lambda: height in [h.data for h in heights], f"at {height} rows {doing}", send, every=0.1)
        said = lambda s: int(s.values["input_size_changes"]) == changes
        told = peer.until_status("inference", said, f"telling change {changes}", send, every=0.1).values
        assert told["input_size"].endswith(f"x{height}") and float(told["threshold"]) == threshold
        peer.until(lambda: infos and infos[-1].threshold == threshold, "offering the threshold", send, every=0.1)
        return told["last_change"]

    assert settle(LARGE, 0, "at first") == "none"
    load.write_text("4")
    assert settle(SMALL, 1, "under load").startswith("64x48 to 32x24: labels ")
    assert_bands(peer.heard["labels"][-1])
    load.write_text("1")
    assert settle(LARGE, 2, "when it has gone").startswith("32x24 to 64x48: labels ")
    assert peer.program.stderr.count("input size 64x48 to 32x24") == 1, peer.program.stderr
