"""The node around a segmenter whose answers are known beforehand and that can be made slow or sick."""


def start_fake(start, parameters=None, *, delay_ms=0, nan_share=0, fail_every=0, **more):
    environment = {
        "OPEN_SET_FAKE_DELAY_MS": str(delay_ms),
        "OPEN_SET_FAKE_NAN_SHARE": str(nan_share),
        "OPEN_SET_FAKE_FAIL_EVERY": str(fail_every),
    }
    return start(parameters, name="examples/slow_fake_node", environment=environment, **more)
