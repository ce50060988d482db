"""The node around a segmenter whose answers are known beforehand and that can be made slow or sick."""


def start_fake(start, parameters=None, *, delay_ms=0, nan_share=0, fail_every=0, load="", broken="", **more):
    """`load` is a file that says how many times the delay a run takes; while `broken` is there, nothing works."""
    environment = {
        "OPEN_SET_FAKE_BROKEN": str(broken),
        "OPEN_SET_FAKE_LOAD": str(load),
        "OPEN_SET_FAKE_DELAY_MS": str(delay_ms),
        "OPEN_SET_FAKE_NAN_SHARE": str(nan_share),
        "OPEN_SET_FAKE_FAIL_EVERY": str(fail_every),
    }
    return start(parameters, name="examples/slow_fake_node", environment=environment, **more)
